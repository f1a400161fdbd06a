"""Totals of many agents on the same tasks: kept together, dropped with their tasks, and small."""

import numpy as np

from metarl.experiments import totals
from metarl.experiments.totals import write_totals


def test_agents_of_the_same_tasks_are_kept_together(tmp_path):
    file = tmp_path / "folder" / "row.npz"
    write_totals(file, "one", np.array([1.0, 2.0, 300.0]), "abc", 7)
    write_totals(file, "two", np.array([[0.5, 1.5, 2.5], [1.0, 2.0, 3.0]]), "abc", 7)
    with np.load(file) as found:
        assert found["one"].tolist() == [1, 2, 300]
        assert found["one"].dtype == np.uint16
        assert found["two"].shape == (2, 3)
        assert found["two"].dtype == np.float32
        assert (str(found["fingerprint"]), str(found["split"]), int(found["seed"])) == ("abc", "test", 7)


def test_other_tasks_take_the_place_of_the_old(tmp_path):
    file = tmp_path / "row.npz"
    write_totals(file, "one", np.array([1.0, 2.0]), "abc", 7)
    write_totals(file, "two", np.array([3.0, 4.0]), "def", 8)
    with np.load(file) as found:
        assert "one" not in found
        assert found["two"].dtype == np.uint8


def test_a_file_that_would_be_too_large_to_publish_is_left_as_it_is(tmp_path, monkeypatch):
    file = tmp_path / "row.npz"
    write_totals(file, "one", np.array([1.0, 2.0]), "abc", 7)
    before = file.read_bytes()
    monkeypatch.setattr(totals, "MAX_PUBLISHED_BYTES", 500)
    write_totals(file, "two", np.random.default_rng(0).random(2000), "abc", 7)
    assert file.read_bytes() == before
