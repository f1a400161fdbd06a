"""Totals of many agents on the same tasks: kept together, dropped with their tasks, and small."""

import numpy as np
import pytest

from metarl.agents.registry import make_agent
from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.evaluation.protocol import evaluate
from metarl.suites import score_arrays
from metarl.suites.published import published_arrays
from metarl.suites.score_arrays import write_arrays, write_episodes, write_scores


def test_agents_of_the_same_tasks_are_kept_together(tmp_path):
    file = tmp_path / "folder" / "row.npz"
    write_scores(file, "one", np.array([1.0, 2.0, 300.0]), "abc", 7)
    write_scores(file, "two", np.array([[0.5, 1.5, 2.5], [1.0, 2.0, 3.0]]), "abc", 7)
    with np.load(file) as found:
        assert found["one"].tolist() == [1, 2, 300]
        assert found["one"].dtype == np.uint16
        assert found["two"].shape == (2, 3)
        assert found["two"].dtype == np.float32
        assert (str(found["fingerprint"]), str(found["split"]), int(found["seed"])) == (
            "abc",
            "test",
            7,
        )


def test_other_tasks_take_the_place_of_the_old(tmp_path):
    file = tmp_path / "row.npz"
    write_scores(file, "one", np.array([1.0, 2.0]), "abc", 7)
    write_scores(file, "two", np.array([3.0, 4.0]), "def", 8)
    with np.load(file) as found:
        assert "one" not in found
        assert found["two"].dtype == np.uint8


def test_a_file_that_would_be_too_large_to_publish_is_left_as_it_is(tmp_path, monkeypatch):
    file = tmp_path / "row.npz"
    write_scores(file, "one", np.array([1.0, 2.0]), "abc", 7)
    before = file.read_bytes()
    monkeypatch.setattr(score_arrays, "MAX_PUBLISHED_BYTES", 500)
    write_scores(file, "two", np.random.default_rng(0).random(2000), "abc", 7)
    assert file.read_bytes() == before


def test_every_episode_of_every_agent_and_seed_is_kept(tmp_path):
    distribution = make("GridMaze-v0")
    budget = Episodes(2, 0)
    played = {
        label: (
            [evaluate(make_agent(label, distribution, budget), distribution, "test", 5, 3, budget)]
            * seeds
        )
        for label, seeds in (("random", 2), ("maze-explorer", 1))
    }
    write_episodes(tmp_path / "episodes.npz", played)
    with np.load(tmp_path / "episodes.npz") as found:
        assert found["random/return"].shape == (2, 5, 2)
        assert np.allclose(found["maze-explorer/return"][0], played["maze-explorer"][0].matrix())
        assert found["maze-explorer/length"].sum() == played["maze-explorer"][0].length.sum()
        assert found["random/success"][1].sum() == played["random"][0].success.sum()
        assert set(found["random/fingerprint"]) == {played["random"][0].fingerprint}
        assert (str(found["split"]), int(found["seed"])) == ("test", 3)


def test_episodes_of_different_tasks_are_refused(tmp_path):
    distribution = make("GridMaze-v0")
    budget = Episodes(2, 0)
    agent = make_agent("random", distribution, budget)
    played = {
        str(seed): [evaluate(agent, distribution, "test", 5, seed, budget)] for seed in (3, 4)
    }
    with pytest.raises(ValueError, match="same tasks"):
        write_episodes(tmp_path / "episodes.npz", played)
    with pytest.raises(ValueError, match="one at least"):
        write_episodes(tmp_path / "episodes.npz", {})


def test_a_benchmarks_arrays_come_back(tmp_path):
    assert published_arrays(tmp_path, "mlsh", "within-a-task") == {}
    write_arrays(tmp_path / "mlsh" / "within-a-task.npz", {"MLSH/return": np.array([[1.0, 2.0]])})
    found = published_arrays(tmp_path, "mlsh", "within-a-task")
    assert list(found) == ["MLSH/return"]
    assert found["MLSH/return"].tolist() == [[1.0, 2.0]]
