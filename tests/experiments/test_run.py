import errno
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
import torch

from metarl.experiments import run as run_module
from metarl.experiments import stopping
from metarl.experiments.checkpoint import CheckpointError, load_state, save_state
from metarl.experiments.load import load_agent
from metarl.experiments.run import train
from metarl.experiments.run_config import RunConfig
from metarl.learners.ppo import PPOConfig
from metarl.learners.registry import SUPERVISED_LEARNERS, learner_names
from metarl.learners.rl2 import RL2, RL2Config
from metarl.networks.policy import NetworkConfig
from metarl.results import RunFolder, RunFolderError, StorageError, find_runs
from metarl.tasks.bernoulli_bandit import BernoulliBandit
from metarl.tasks.contract import PlugInError
from tests.experiments.tiny_learner import TinyLearner
from tests.learners.tiny_configs import tiny_config

FAMILIES = {"rl2": "BernoulliBandit-v0", "joint-ppo": "CartPole-v0", "joint-rainbow": "CartPole-v0", "mlsh": "MovingBandits-v0"}
WALL_CLOCK = ["seconds", "steps_per_second"]


def run_of(config, **changes):
    return RunConfig("tiny", config, arguments={"arms": 3}, **changes)


def trained(folder):
    """What a finished run left behind, wall-clock columns apart."""
    weights = load_state(RunFolder(folder).weights())[1]
    return weights, RunFolder(folder).metrics.drop(columns=WALL_CLOCK)


def flat(state, path=""):
    """Tensors of nested dicts by their path."""
    if isinstance(state, torch.Tensor):
        return {path: state}
    return {name: tensor for key, value in state.items() for name, tensor in flat(value, f"{path}/{key}").items()}


def same(x, y):
    pd.testing.assert_frame_equal(x[1], y[1], check_exact=True)
    return torch.equal(x[0]["preferences"], y[0]["preferences"])


def test_a_run_leaves_its_files(tiny, tmp_path):
    learner = train(run_of(tiny()), tmp_path / "run", show=False)
    weights, metrics = trained(tmp_path / "run")
    assert torch.equal(weights["preferences"], learner.preferences[0])
    assert list(metrics) == ["iteration", "steps", "return", "late"]
    assert list(metrics["iteration"]) == [1, 2, 3, 4, 5]
    assert list(metrics["steps"]) == [10, 20, 30, 40, 50]
    assert metrics["late"].isna().tolist() == [True, True, False, False, False]
    assert metrics["return"].iloc[-1] == float(learner.preferences.sum())  # written in full precision
    assert sorted(os.listdir(tmp_path / "run")) == ["checkpoint.safetensors", "lock", "metrics.csv", "run.json", "weights.safetensors"]


def test_a_finished_run_is_left_alone(tiny, tmp_path):
    train(run_of(tiny()), tmp_path, show=False)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    train(run_of(tiny()), tmp_path, show=False)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


def test_weights_lost_after_the_last_checkpoint_are_written_again(tiny, tmp_path):
    train(run_of(tiny()), tmp_path, show=False)
    before = trained(tmp_path)
    RunFolder(tmp_path).weights().unlink()
    train(run_of(tiny()), tmp_path, show=False)
    assert same(trained(tmp_path), before)


def test_every_seed_leaves_its_weights(tiny, tmp_path):
    learner = train(run_of(tiny(), seed=(3, 8)), tmp_path, show=False)
    for member in (0, 1):
        about, weights = load_state(RunFolder(tmp_path).weights(member))
        assert torch.equal(weights["preferences"], learner.preferences[member])
        assert about["seed"] == (3, 8)[member]


@pytest.mark.parametrize("stop_at", [1, 2, 3, 4])
def test_stopped_by_a_signal_a_run_goes_on_to_the_same_end(tiny, tmp_path, monkeypatch, stop_at):
    train(run_of(tiny()), tmp_path / "whole", show=False)
    update = TinyLearner.update

    def interrupted(self):
        metrics = update(self)
        if self.iteration == stop_at:
            signal.raise_signal(signal.SIGTERM)
        return metrics

    with monkeypatch.context() as patch:
        patch.setattr(TinyLearner, "update", interrupted)
        with pytest.raises(KeyboardInterrupt, match=f"after iteration {stop_at}; the same command goes on"):
            train(run_of(tiny()), tmp_path / "cut", show=False)
    assert not RunFolder(tmp_path / "cut").weights().exists()
    train(run_of(tiny()), tmp_path / "cut", show=False)
    assert same(trained(tmp_path / "cut"), trained(tmp_path / "whole"))


def test_killed_at_random_moments_a_run_ends_as_an_undisturbed_one(tmp_path):
    """Checkpoints are written after every iteration, so that many kills fall into a write; the seed differs from day to day."""
    kills = 12
    command = [sys.executable, "-m", "tests.experiments.killed_run", str(tmp_path), str(kills), str(date.today().toordinal())]
    tries = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})  # forks share no threads
    assert tries.returncode == 0, tries.stderr
    ends = [int(line.split()[0]) for line in tries.stdout.splitlines()]
    assert ends.count(-signal.SIGKILL) >= kills // 2, tries.stdout
    assert ends[-1] == 0
    (weights, metrics), (whole_weights, whole_metrics) = trained(tmp_path / "cut"), trained(tmp_path / "whole")
    assert flat(weights).keys() == flat(whole_weights).keys()
    for path, tensor in flat(whole_weights).items():
        assert torch.equal(flat(weights)[path], tensor), path
    pd.testing.assert_frame_equal(metrics, whole_metrics, check_exact=True)


def test_lines_behind_the_last_checkpoint_are_cut_off(tiny, tmp_path):
    train(run_of(tiny()), tmp_path / "whole", show=False)
    train(run_of(tiny()), tmp_path / "cut", show=False)
    place = RunFolder(tmp_path / "cut")
    place.weights().unlink()
    learner = TinyLearner(tiny(), run_of(tiny()).make_distribution(), 0)
    for _ in range(3):
        learner.update()
    about = load_state(place.checkpoint)[0]
    save_state(place.checkpoint, learner.state_dict(), {**about, "iteration": 3})
    with open(place.metrics_file, "ab") as stream:
        stream.write(b"6,60,0.")  # half a line, as a kill leaves it
    train(run_of(tiny()), tmp_path / "cut", show=False)
    assert same(trained(tmp_path / "cut"), trained(tmp_path / "whole"))


def test_metrics_that_lack_lines_are_refused(tiny, tmp_path):
    train(run_of(tiny()), tmp_path, show=False)
    lines = (tmp_path / "metrics.csv").read_text().splitlines(keepends=True)
    for damaged in (lines[:3], [lines[0], *lines[2:]], []):
        (tmp_path / "metrics.csv").write_text("".join(damaged))
        with pytest.raises(RunFolderError, match=r"metrics.csv (lacks lines|is damaged)"):
            train(run_of(tiny()), tmp_path, show=False)


def test_another_config_is_refused_and_nothing_lost(tiny, tmp_path):
    train(run_of(tiny()), tmp_path, show=False)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    with pytest.raises(RunFolderError, match=r"config.units is 4 there, 8 here; seeds is \[0\] there, \[1\] here"):
        train(run_of(tiny(units=8), seed=1), tmp_path, show=False)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


def test_a_setting_that_is_newer_than_the_run_counts_as_its_default(tiny, tmp_path):
    train(run_of(tiny()), tmp_path, show=False)
    file = tmp_path / "run.json"
    file.write_text(file.read_text().replace('    "units": 4,\n', ""))
    for name in ("checkpoint.safetensors", "weights.safetensors"):  # they carry the hash of run.json as it was
        about, state = load_state(tmp_path / name)
        save_state(tmp_path / name, state, {**about, "run": RunFolder(tmp_path).digest})
    train(run_of(tiny()), tmp_path, show=False)
    with pytest.raises(RunFolderError, match="config.units is 4 there, 8 here"):
        train(run_of(tiny(units=8)), tmp_path, show=False)


def test_a_checkpoint_of_another_run_is_refused(tiny, tmp_path):
    train(run_of(tiny()), tmp_path / "first", show=False)
    train(run_of(tiny(), seed=1), tmp_path / "second", show=False)
    (tmp_path / "first" / "checkpoint.safetensors").replace(tmp_path / "second" / "checkpoint.safetensors")
    with pytest.raises(CheckpointError, match="holds the checkpoint of another run"):
        train(run_of(tiny(), seed=1), tmp_path / "second", show=False)


def test_a_checkpoint_that_doesnt_fit_the_learner_is_refused(tiny, tmp_path):
    train(run_of(tiny()), tmp_path, show=False)
    about, state = load_state(tmp_path / "checkpoint.safetensors")
    del state["rng"]
    save_state(tmp_path / "checkpoint.safetensors", state, about)
    with pytest.raises(CheckpointError, match="doesn't fit the learner TinyLearner"):
        train(run_of(tiny()), tmp_path, show=False)


def test_a_disk_that_fills_up_stops_the_run_and_it_goes_on_later(tiny, tmp_path, monkeypatch):
    train(run_of(tiny()), tmp_path / "whole", show=False)
    sync, calls = os.fsync, []

    def filling(descriptor):
        calls.append(descriptor)
        if len(calls) > 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", filling)
    with pytest.raises(StorageError, match="no space is left"):
        train(run_of(tiny()), tmp_path / "cut", checkpoint_seconds=0, show=False)
    monkeypatch.setattr(os, "fsync", sync)
    about, _ = load_state(tmp_path / "cut" / "checkpoint.safetensors")
    assert 1 <= about["iteration"] < 5
    train(run_of(tiny()), tmp_path / "cut", show=False)
    assert same(trained(tmp_path / "cut"), trained(tmp_path / "whole"))


def test_a_learner_that_reports_no_return_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(TinyLearner, "update", lambda self: {"steps": 1.0})
    with pytest.raises(PlugInError, match=r"TinyLearner.update\(\) must report return; iteration 1 didn't"):
        train(run_of(tiny()), tmp_path, show=False)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_run_that_diverges_says_so_and_keeps_the_good_checkpoint(tiny, tmp_path, monkeypatch, bad):
    update = TinyLearner.update
    monkeypatch.setattr(TinyLearner, "update", lambda self: {**update(self), "loss": bad if self.iteration == 3 else 0.5})
    with pytest.raises(ValueError, match=rf"diverged in iteration 3: loss is {bad}\..*smaller learning rate"):
        train(run_of(tiny()), tmp_path, checkpoint_seconds=0, show=False)
    assert load_state(tmp_path / "checkpoint.safetensors")[0]["iteration"] == len(RunFolder(tmp_path).metrics) == 2
    assert not RunFolder(tmp_path).weights().exists()


def test_weights_spoilt_behind_finite_metrics_are_not_saved(tiny, tmp_path, monkeypatch):
    update = TinyLearner.update

    def spoiling(self):
        metrics = update(self)
        if self.iteration == 5:
            self.preferences[0, 1] = float("nan")
        return metrics

    monkeypatch.setattr(TinyLearner, "update", spoiling)
    with pytest.raises(ValueError, match="diverged in iteration 5: a weight is nan"):
        train(run_of(tiny()), tmp_path, checkpoint_seconds=0, show=False)
    assert load_state(tmp_path / "checkpoint.safetensors")[0]["iteration"] == 4
    assert not RunFolder(tmp_path).weights().exists()


def test_rl2_with_a_huge_learning_rate_is_stopped(tmp_path):
    config = RL2Config(episodes=3, num_envs=16, iterations=50, network=NetworkConfig(units=8), ppo=PPOConfig(lr=1e6))
    with pytest.raises(ValueError, match=r"diverged in iteration \d+: .*smaller learning rate"):
        train(RunConfig("rl2", config), tmp_path, show=False)
    assert not RunFolder(tmp_path).weights().exists()


def test_event_files_for_tensorboard(tiny, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(run_of(tiny()), tmp_path, show=False, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("return")] == [1, 2, 3, 4, 5]
    assert events.Scalars("return")[-1].value == pytest.approx(RunFolder(tmp_path).metrics["return"].iloc[-1])


def test_progress_goes_to_standard_error(tiny, tmp_path, capsys):
    train(run_of(tiny()), tmp_path, show=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0].startswith("tiny on metarl.make('BernoulliBandit-v0', arms=3), seed 0")
    assert "iteration 5/5 · environment steps 50" in lines[-1]
    assert "normalised" in lines[-1]
    assert lines[-1].endswith("time left 0:00")


def test_a_run_begins_with_the_weights_of_another(tmp_path):
    short = RunConfig(
        "rl2",
        RL2Config(episodes=2, num_envs=8, iterations=1, network=NetworkConfig("attention", units=8, layers=1, heads=2)),
        "Identity-v0",
    )
    train(short, tmp_path / "short", show=False)
    longer = replace(short, config=replace(short.config, episodes=4, iterations=1), start=short.origin())
    learner = longer.make_learner(longer.make_distribution())
    _, weights = load_state(RunFolder(tmp_path / "short").weights())
    learner.start_from(weights)
    taken = learner.weights()["policy"]
    old = weights["policy"]
    assert all(torch.equal(taken[name], old[name]) for name in old if name != "core.positions")
    known = len(old["core.positions"])
    assert torch.equal(taken["core.positions"][:known], old["core.positions"])
    assert (taken["core.positions"][known:] == old["core.positions"][-1]).all()
    assert len(taken["core.positions"]) == 2 * known
    learner.update()
    trained_there = train(longer, tmp_path / "longer", show=False, start=tmp_path / "short")
    expected, got = learner.weights()["policy"], trained_there.weights()["policy"]
    assert all(torch.equal(got[name], expected[name]) for name in expected)
    assert load_agent(tmp_path / "longer") is not None


@pytest.mark.parametrize("settings", [{"processes": 2}, {}], ids=["two processes", "one"])
def test_a_run_that_began_elsewhere_and_was_stopped_ends_with_the_same_weights(tmp_path, monkeypatch, settings):
    short = RunConfig("rl2", RL2Config(episodes=2, num_envs=8, iterations=1), "Identity-v0")
    train(short, tmp_path / "short", show=False)
    config = RL2Config(episodes=2, num_envs=16, iterations=4, **settings)
    longer = RunConfig("rl2", config, "Identity-v0", start=short.origin())
    whole = train(longer, tmp_path / "whole", show=False, start=tmp_path / "short")

    class Stopped(Exception):
        pass

    def stop_after_two(learner, place, log, iteration):
        save(learner, place, log, iteration)
        if iteration == 2:
            raise Stopped

    save = run_module._save_checkpoint
    monkeypatch.setattr(run_module, "_save_checkpoint", stop_after_two)
    with pytest.raises(Stopped):
        train(longer, tmp_path / "stopped", checkpoint_seconds=0, show=False, start=tmp_path / "short")
    monkeypatch.setattr(run_module, "_save_checkpoint", save)
    resumed = train(longer, tmp_path / "stopped", show=False)  # a checkpoint is there: no start is needed
    expected, got = whole.weights()["policy"], resumed.weights()["policy"]
    assert all(torch.equal(got[name], expected[name]) for name in expected)


def test_a_run_that_begins_elsewhere_gets_a_sentence(tmp_path):
    short = RunConfig("rl2", RL2Config(episodes=2, num_envs=8, iterations=1), "Identity-v0")
    train(short, tmp_path / "short", show=False)
    other = replace(short, seed=1, start=replace(short, seed=5).origin())
    with pytest.raises(ValueError, match="say in which folder"):
        train(other, tmp_path / "a", show=False)
    with pytest.raises(ValueError, match="isn't the run"):
        train(other, tmp_path / "b", show=False, start=tmp_path / "short")


class Lengths:
    """A tiny run of some number of iterations."""

    def __init__(self, tiny):
        self.tiny = tiny

    def __call__(self, iterations, **changes):
        return run_of(self.tiny(iterations=iterations, **changes))


@pytest.fixture
def of_length(tiny):
    return Lengths(tiny)


def test_a_finished_run_goes_on_to_more_iterations(of_length, tmp_path, capsys):
    train(of_length(8), tmp_path / "whole", show=False)
    train(of_length(3), tmp_path / "cut", show=False)
    (tmp_path / "cut" / "evaluations").mkdir()
    (tmp_path / "cut" / "evaluations" / "test.csv").write_text("task,total\n0,1.0\n")
    short = (tmp_path / "cut" / "weights.safetensors").read_bytes()
    train(of_length(8), tmp_path / "cut")
    assert "goes on to 8 iterations, 3 before" in capsys.readouterr().err
    assert same(trained(tmp_path / "cut"), trained(tmp_path / "whole"))  # this learner has no schedule
    place = RunFolder(tmp_path / "cut")
    assert place.identity["config"]["iterations"] == 8
    assert place.description["continued"][-1]["iterations"] == [3, 8]
    earlier = RunFolder(tmp_path / "cut" / "earlier" / "3-iterations")
    assert earlier.weights().read_bytes() == short
    assert earlier.identity["config"]["iterations"] == len(earlier.metrics) == 3
    assert (earlier.path / "evaluations" / "test.csv").exists()
    assert not list((tmp_path / "cut" / "evaluations").iterdir())
    assert [run.path for run in find_runs(tmp_path / "cut")] == [tmp_path / "cut"]
    assert [run.path for run in find_runs(earlier.path)] == [earlier.path]
    load_agent(earlier.path)
    load_agent(place.path)
    train(of_length(9), tmp_path / "cut", show=False)  # and on
    assert place.earlier_lengths == [3, 8]


@pytest.mark.parametrize("call", range(1, 9))
def test_killed_while_it_is_lengthened_a_run_is_of_one_length_or_the_other(of_length, tmp_path, monkeypatch, call):
    train(of_length(2), tmp_path, show=False)
    move, calls = os.replace, []

    class Killed(Exception):
        pass

    def until(*arguments):
        calls.append(arguments)
        if len(calls) >= call:
            raise Killed
        move(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", until)
        with suppress(Killed):
            train(of_length(4), tmp_path, show=False)
    load_agent(tmp_path)
    if RunFolder(tmp_path).weights().exists() and RunFolder(tmp_path).identity["config"]["iterations"] == 4:
        assert len(RunFolder(tmp_path).metrics) == 4
    train(of_length(4), tmp_path, show=False)
    assert len(RunFolder(tmp_path).metrics) == load_state(RunFolder(tmp_path).checkpoint)[0]["iteration"] == 4
    assert load_state(RunFolder(tmp_path).weights())[0]["run"] == RunFolder(tmp_path).digest


def test_lengths_that_dont_fit_get_a_sentence(of_length, tmp_path):
    train(of_length(3), tmp_path, show=False)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    with pytest.raises(RunFolderError, match="has 3 iterations behind it already, and 2 are wanted"):
        train(of_length(2), tmp_path, show=False)
    with pytest.raises(RunFolderError, match="config.iterations is 3 there, 5 here"):
        train(of_length(5), tmp_path, show=False, lengthen=False)
    with pytest.raises(RunFolderError, match="config.iterations is 3 there, 5 here; config.units is 4 there, 8 here"):
        train(of_length(5, units=8), tmp_path, show=False)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before
    RunFolder(tmp_path).checkpoint.unlink()  # as published
    with pytest.raises(RunFolderError, match="no checkpoint to go on from"):
        train(of_length(5), tmp_path, show=False)
    with pytest.raises(RunFolderError, match="no checkpoint to go on from"):
        train(of_length(3), tmp_path, show=False)
    assert len(RunFolder(tmp_path).metrics) == 3


@pytest.mark.parametrize("file", ["checkpoint.safetensors", "metrics.csv"])
@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:50], lambda content: content[:-400] + bytes(400)])
def test_a_run_that_cant_go_on_keeps_its_weights_and_scores(of_length, tmp_path, file, damage):
    train(of_length(3), tmp_path, show=False)
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "evaluations" / "test.csv").write_text("task,total\n0,1.0\n")
    (tmp_path / file).write_bytes(damage((tmp_path / file).read_bytes()))
    kept = ["run.json", "weights.safetensors", "evaluations/test.csv"]
    before = {name: (tmp_path / name).read_bytes() for name in kept}
    with pytest.raises(ValueError, match=file):
        train(of_length(5), tmp_path, show=False)
    assert {name: (tmp_path / name).read_bytes() for name in kept} == before
    assert not (tmp_path / "earlier").exists()
    load_agent(tmp_path)


def test_a_folder_where_metrics_should_be_gets_a_sentence(of_length, tmp_path):
    train(of_length(2), tmp_path, show=False)
    RunFolder(tmp_path).metrics_file.unlink()
    RunFolder(tmp_path).metrics_file.mkdir()
    with pytest.raises(RunFolderError, match="metrics.csv is damaged"):
        train(of_length(3), tmp_path, show=False)


@pytest.mark.parametrize("learner", learner_names())
def test_every_learner_goes_on_to_more_iterations(learner, tmp_path):
    distribution = "SineRegression-v0" if learner in SUPERVISED_LEARNERS else FAMILIES.get(learner, "PointNavigation-v0")
    arguments = {"horizon": 3} if distribution == "PointNavigation-v0" else {}
    run = RunConfig(learner, replace(tiny_config(learner), iterations=1), distribution, arguments)
    train(run, tmp_path, show=False)
    train(replace(run, config=replace(run.config, iterations=2)), tmp_path, show=False)
    assert list(RunFolder(tmp_path).metrics["iteration"]) == [1, 2]
    assert load_state(RunFolder(tmp_path).checkpoint)[0]["iteration"] == 2


def test_a_learning_rate_that_falls_falls_to_the_new_end():
    ppo = PPOConfig(minibatches=1, epochs=1)
    rates = {}
    for iterations in (2, 4):
        learner = RL2(RL2Config(episodes=1, num_envs=2, iterations=iterations, ppo=ppo), BernoulliBandit(2))
        for _ in range(2):
            learner.update()
        rates[iterations] = learner.optimizer.param_groups[0]["lr"]
        state = learner.state_dict()
        if iterations == 2:
            longer = RL2(RL2Config(episodes=1, num_envs=2, iterations=4, ppo=ppo), BernoulliBandit(2))
            longer.load_state_dict(state)
    longer.update()
    learner.update()
    assert longer.optimizer.param_groups[0]["lr"] == learner.optimizer.param_groups[0]["lr"] > ppo.lr_end
    assert rates[2] < rates[4]


def test_a_start_that_fails_leaves_no_folder(tiny, tmp_path, monkeypatch):
    def fail(self):
        raise MemoryError("can't allocate memory")

    for error in (fail, lambda self: signal.raise_signal(signal.SIGINT) or signal.raise_signal(signal.SIGINT)):
        with monkeypatch.context() as patch:
            patch.setattr(TinyLearner, "update", error)
            with pytest.raises((MemoryError, KeyboardInterrupt)):
                train(run_of(tiny()), tmp_path / "deep" / "run", show=False, tensorboard=True)
        assert not (tmp_path / "deep").exists()
    train(run_of(tiny(units=8)), tmp_path / "deep" / "run", show=False)


def test_a_folder_that_was_there_stays(tiny, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr(TinyLearner, "update", lambda self: {}["nothing"])
        with pytest.raises(KeyError):
            train(run_of(tiny()), tmp_path, show=False)
    assert not (tmp_path / "run.json").exists()
    assert (tmp_path / "notes.txt").exists()


def test_a_run_that_diverged_before_a_checkpoint_blocks_no_other(tiny, tmp_path, monkeypatch):
    update = TinyLearner.update
    with monkeypatch.context() as patch:
        patch.setattr(TinyLearner, "update", lambda self: {**update(self), "loss": math.nan if self.iteration == 3 else 0.5})
        with pytest.raises(ValueError, match="diverged in iteration 3"):
            train(run_of(tiny()), tmp_path, show=False)
    assert len(RunFolder(tmp_path).metrics) == 2  # to look at
    train(run_of(tiny(units=8)), tmp_path, show=False)
    assert RunFolder(tmp_path).identity["config"]["units"] == 8
    assert len(RunFolder(tmp_path).metrics) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_long_iteration_is_broken_off_and_the_last_whole_one_is_kept(tiny, tmp_path, monkeypatch, capfd, number):
    monkeypatch.setattr(stopping, "GRACE", 0.1)
    monkeypatch.setattr(run_module, "SLOW_ITERATION", 0.0)
    monkeypatch.setattr(run_module, "SAVING_SHARE", 1e9)
    train(run_of(tiny()), tmp_path / "whole", show=False)
    update = TinyLearner.update

    def slow(self):
        if self.iteration == 2:
            signal.raise_signal(number)
            time.sleep(60)
        return update(self)

    with monkeypatch.context() as patch:
        patch.setattr(TinyLearner, "update", slow)
        with pytest.raises(KeyboardInterrupt, match="amid iteration 3; the checkpoint is of iteration 2"):
            train(run_of(tiny()), tmp_path / "cut", show=False)
    assert "Stopping after this iteration; press again to stop now." in capfd.readouterr().err
    assert load_state(tmp_path / "cut" / "checkpoint.safetensors")[0]["iteration"] == 2
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    train(run_of(tiny()), tmp_path / "cut", show=False)
    assert same(trained(tmp_path / "cut"), trained(tmp_path / "whole"))
