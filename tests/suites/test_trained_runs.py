"""Trained runs: found where they are, trained where they aren't, never mistaken for others."""

from dataclasses import replace

import pytest
import torch

from metarl.learners.memory.rl2 import RL2Config
from metarl.runs.config import RunConfig
from metarl.runs.load import load_learner
from metarl.suites.trained_runs import check_folder, find_trained_run, is_trained, trained_run

RUN = RunConfig(
    "rl2", RL2Config(episodes=2, num_envs=8, iterations=1), "BernoulliBandit-v0", {"arms": 2}
)
OTHER = replace(RUN, seed=5)


def test_a_run_is_trained_once_then_found(tmp_path):
    own = tmp_path / "own"
    published = tmp_path / "results" / "own"
    assert trained_run(RUN, own, published, train_missing=False) is None
    assert not own.exists()
    assert trained_run(RUN, own, published) == own
    assert is_trained(own, RUN)
    written = (own / "weights.safetensors").stat().st_mtime_ns
    assert trained_run(RUN, own, published) == own
    assert (own / "weights.safetensors").stat().st_mtime_ns == written


def test_a_published_copy_serves_where_ours_is_missing(tmp_path):
    own = tmp_path / "own"
    published = tmp_path / "results" / "own"
    assert trained_run(RUN, own, published, publishes=True) == published
    assert trained_run(RUN, tmp_path / "elsewhere", published, train_missing=False) == published


def test_large_weights_are_published_in_half_precision_and_serve_as_they_are(tmp_path, monkeypatch):
    own = tmp_path / "own"
    published = tmp_path / "results" / "own"
    trained_run(RUN, own, published)
    size = (own / "weights.safetensors").stat().st_size
    monkeypatch.setattr("metarl.runs.store.MAX_PUBLISHED_BYTES", size - 1)
    assert trained_run(RUN, own, published, publishes=True) == published
    assert (published / "weights.safetensors").stat().st_size < 0.75 * size
    exact, rounded = (load_learner(folder).weights()["policy"] for folder in (own, published))
    for name, weight in exact.items():
        assert rounded[name].dtype == weight.dtype
        assert torch.allclose(rounded[name].double(), weight.double(), rtol=1e-3, atol=1e-6), name
    assert is_trained(published, RUN)


def test_a_run_of_other_settings_is_neither_taken_nor_overwritten(tmp_path):
    own = tmp_path / "own"
    published = tmp_path / "results" / "own"
    trained_run(RUN, own, published)
    assert not is_trained(own, OTHER)
    with pytest.raises(ValueError, match="other settings"):
        check_folder(OTHER, own, published)
    check_folder(RUN, own, published)
    check_folder(OTHER, tmp_path / "nothing", published)


def test_the_device_makes_no_other_run(tmp_path):
    own = tmp_path / "own"
    trained_run(RUN, own, tmp_path / "none")
    assert is_trained(own, replace(RUN, device="cuda"))


def test_a_run_is_found_whatever_its_folders_name(tmp_path):
    trained_run(RUN, tmp_path / "some" / "where", tmp_path / "none")
    found = find_trained_run(tmp_path, RUN)
    assert found is not None
    assert found.path == tmp_path / "some" / "where"
    assert find_trained_run(tmp_path, OTHER) is None
    found.weights().unlink()
    assert find_trained_run(tmp_path, RUN) is None
