from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from metarl.analysis.animation import MOST_BYTES
from metarl.commands.watch import MOST_TASKS, WatchOptions, watch
from metarl.learners.memory.rl2 import RL2Config
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolderError
from metarl.runs.training import train

RANDOM = {
    "agent": "random",
    "distribution": "GridMaze-v0",
    "distribution_args": ("size=3", "horizon=10"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = RL2Config(episodes=3, num_envs=8, iterations=1, network=NetworkConfig(hidden_size=8))
    train(
        RunConfig("rl2", config, "GridMaze-v0", {"size": 3, "horizon": 10}, seed=(0, 1)),
        folder,
        show=False,
    )
    return folder


def test_a_runs_pictures_lie_in_its_folder(run):
    files = watch(run, WatchOptions(num_tasks=2, seed_index=1))
    assert files == [
        run / "watched" / f"test-2tasks-3episodes-seed0-member1.{kind}" for kind in ("png", "gif")
    ]
    sheet, animation = (Image.open(file) for file in files)
    assert sheet.size == animation.size
    assert animation.n_frames == 11


def test_other_agents_play_what_the_run_plays(run):
    files = watch(run, WatchOptions(agent="random", num_tasks=2, steps=15, split="train"))
    assert [file.name for file in files] == [
        f"train-2tasks-15steps-seed0-random.{kind}" for kind in ("png", "gif")
    ]


def test_an_agent_needs_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = watch(None, WatchOptions(**RANDOM, num_tasks=2))
    assert files[0] == Path("runs/watch-random-GridMaze-v0/test-2tasks-2episodes-seed0.png")
    again = watch(None, WatchOptions(**RANDOM, num_tasks=2, out=tmp_path / "again"))
    assert [file.read_bytes() for file in again] == [file.read_bytes() for file in files]
    other = watch(None, WatchOptions(**RANDOM, num_tasks=2, seed=1, out=tmp_path / "again"))
    assert not np.array_equal(Image.open(other[0]), Image.open(files[0]))


def test_six_mazes_of_the_papers_size_make_a_small_file(tmp_path):
    files = watch(None, WatchOptions(agent="random", distribution="GridMaze-v0", out=tmp_path))
    assert files[1].stat().st_size < MOST_BYTES


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"agent": None}, "Name a run's folder, or --agent and --distribution"),
        ({"distribution": None}, "Name a run's folder, or --agent and --distribution"),
        ({"agent": "randon"}, "no agent 'randon'. Did you mean 'random'"),
        ({"agent": "gittins"}, "can't play"),
        ({"distribution": "GridMace-v0"}, "Did you mean 'GridMaze-v0'"),
        ({"distribution_args": ("size",)}, "as NAME=VALUE"),
        ({"split": "extrapolate"}, "no split 'extrapolate'"),
        ({"num_tasks": 0}, f"from 1 to {MOST_TASKS} tasks, not 0"),
        ({"num_tasks": MOST_TASKS + 1}, "from 1 to"),
        ({"format": "avi"}, "no animation format 'avi'; choose gif or mp4"),
        ({"device": "gpu"}, "no device 'gpu'"),
        ({"steps": 5, "episodes": 2}, "--steps or --episodes and --after, not both"),
        ({"episodes": 0}, r"K >= 0, M >= 0"),
        (
            {"distribution": "BernoulliBandit-v0", "distribution_args": ()},
            "BernoulliBandit-v0 has nothing to show",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_played(changes, sentence, tmp_path, monkeypatch):
    monkeypatch.setattr("metarl.envs.meta_episode.MetaEpisodeEnv.step", None)
    with pytest.raises(ValueError, match=sentence):
        watch(None, WatchOptions(**{**RANDOM, "out": tmp_path / "out", **changes}))
    assert not (tmp_path / "out").exists()


def test_a_run_is_watched_on_its_own_distribution(run, tmp_path):
    with pytest.raises(ValueError, match="leave --distribution and --distribution-args out"):
        watch(run, WatchOptions(distribution="GridMaze-v0"))
    with pytest.raises(RunFolderError, match="holds no run"):
        watch(tmp_path, WatchOptions())
