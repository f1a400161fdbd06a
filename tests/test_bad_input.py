"""Bad input, faults of plug-ins and of the machine: each gets a sentence that says what to do, and
nothing that was saved is lost.

Faults of disks, checkpoints and folders in use are in tests/runs/test_store.py and
tests/experiments; here they are met as a user meets them.
"""

import errno
import math
import os
from dataclasses import dataclass, fields, is_dataclass, replace

import gymnasium as gym
import pytest
import torch

import metarl
from metarl.agents.registry import make_agent
from metarl.core.budget import Episodes, Steps
from metarl.core.errors import PlugInError
from metarl.core.registry import DISTRIBUTIONS
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import Transition, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.evaluation.protocol import evaluate
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.registry import learner_class, learner_names, make_learner
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.checkpoint import CheckpointError
from metarl.runs.config import RunConfig
from metarl.runs.load import load_agent
from metarl.runs.store import RunFolder, RunFolderError, StorageError
from metarl.runs.training import train
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.mazes.grid_maze import GridMaze


def small(**changes):
    settings = {
        "episodes": 3,
        "num_envs": 8,
        "iterations": 3,
        "network": NetworkConfig(hidden_size=8),
    }
    return RL2Config(**{**settings, **changes})


def random_scores(num_tasks=3, budget=Episodes(2), device="cpu", seed=0):
    agent = make_agent("random", BernoulliBandit(), Episodes(2))
    return evaluate(agent, BernoulliBandit(), "test", num_tasks, seed, budget, device=device)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: metarl.make("BernoulliBandit-v0", arms=0), "at least one arm, not 0"),
        (lambda: metarl.make("GaussianBandit-v0", arms=-1), "at least one arm|at least 1"),
        (lambda: metarl.make("RandomMDP-v0", states=0), "must be at least 1, not 0"),
        (lambda: metarl.make("BernoulliBandit-v0", legs=2), r"can't be made with \{'legs': 2\}"),
        (
            lambda: metarl.make("BernoulliBandit-v9"),
            "no distribution 'BernoulliBandit-v9'. Did you mean 'BernoulliBandit-v0'",
        ),
        (lambda: make_learner("rl3", BernoulliBandit()), "no learner 'rl3'. Did you mean 'rl2'"),
        (
            lambda: make_agent("gitins", BernoulliBandit(), Episodes(2)),
            "no agent 'gitins'. Did you mean 'gittins'",
        ),
        (
            lambda: BernoulliBandit().sample(1, "dev", 0),
            "has no split 'dev'; choose one of train, test, validation",
        ),
        (lambda: Episodes(-1), "K >= 0"),
        (lambda: Episodes(0), r"K \+ M >= 1"),
        (lambda: Steps(0), "at least one step, not 0"),
        (lambda: RL2Config(episodes=0), "at least 1, not 0"),
        (lambda: RL2Config(episodes=-5), "at least 1, not -5"),
        (lambda: RL2Config(iterations=0), "at least 1"),
        (lambda: NetworkConfig(core="rnn"), "choose one of gru, lstm, attention"),
        (lambda: NetworkConfig(hidden_size=0), "at least 1"),
        (lambda: PPOConfig(lr=-1.0), "positive"),
        (
            lambda: RunConfig("rl2", small(), device="cuda:99").make_learner(BernoulliBandit()),
            "cpu|this machine has",
        ),
        (
            lambda: make_learner("rl2", BernoulliBandit(), small(), device="tpu"),
            "There is no device 'tpu'; choose cpu",
        ),
        (lambda: random_scores(num_tasks=0), "at least 1, not 0"),
        (lambda: random_scores(seed=0.5), "seed must be a whole number, not 0.5"),
        (lambda: random_scores(num_tasks=2.5), "num_tasks must be a whole number, not 2.5"),
        (lambda: random_scores(num_tasks="2"), "num_tasks must be a whole number, not '2'"),
        (
            lambda: random_scores(budget=2.5),
            r"budget must be a number of episodes, or such as Episodes\(10\), .* not 2.5",
        ),
        (lambda: random_scores(device="tpu"), "There is no device 'tpu'; choose cpu"),
        (lambda: random_scores(device="cuda:99"), "cpu|this machine has"),
    ],
)
def test_settings_are_refused_before_anything_runs(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize(
    "space",
    [
        gym.spaces.Dict(x=gym.spaces.Discrete(2)),
        gym.spaces.Text(3),
        gym.spaces.Tuple([gym.spaces.Discrete(2)]),
    ],
)
@pytest.mark.parametrize("name", ["observation_space", "action_space"])
def test_spaces_that_no_network_takes_are_refused_before_training(
    space, name, tmp_path, monkeypatch
):
    monkeypatch.setitem(DISTRIBUTIONS, "Odd-v0", "tests.test_bad_input:odd_spaces")
    monkeypatch.setattr("tests.test_bad_input.ODD", {name: space})
    with pytest.raises(ValueError, match=r"Discrete, MultiDiscrete, MultiBinary or Box"):
        train(RunConfig("rl2", small(), "Odd-v0"), tmp_path / "run", show=False)
    assert not (tmp_path / "run").exists()


ODD: dict[str, gym.Space] = {}


def odd_spaces():
    bandit = BernoulliBandit(2)
    for name, space in ODD.items():
        setattr(bandit, name, space)
    return bandit


@dataclass(frozen=True)
class Fault:
    kind: str = "none"
    at_step: int = 2  # counted from 1, over the whole training


class Faulty(BernoulliBandit):
    """A bandit that breaks its contract at one step."""

    id = "Faulty-v0"

    def __init__(self, kind: str = "none", at_step: int = 2):
        super().__init__(3)
        self.fault = Fault(kind, at_step)
        self.steps = 0

    def config(self):
        return {"kind": self.fault.kind, "at_step": self.fault.at_step}

    def sample(self, n, split, seed):
        if self.fault.kind == "sample":
            raise OSError("the task list is gone")
        return super().sample(n, split, seed)

    def step(self, tasks, state, action, rng):
        self.steps += 1
        good = super().step(tasks, state, action, rng)
        if self.steps != self.fault.at_step:
            return good
        reward = good.reward.clone()
        reward[5] = float("nan") if self.fault.kind == "nan" else float("inf")
        faults = {"nan": reward, "inf": reward, "shape": good.reward[:, None]}
        if self.fault.kind == "observation":
            return Transition(
                state, good.observation[:-1], good.reward, good.terminated, good.success
            )
        return good._replace(reward=faults[self.fault.kind])


@pytest.fixture
def faulty(monkeypatch):
    monkeypatch.setitem(DISTRIBUTIONS, "Faulty-v0", "tests.test_bad_input:Faulty")
    return lambda kind, at_step=2: RunConfig(
        "rl2", small(num_envs=16), "Faulty-v0", {"kind": kind, "at_step": at_step}
    )


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("nan", r"Faulty-v0.*not finite.*task of row 5.*step 2"),
        ("inf", r"Faulty-v0.*not finite.*task of row 5.*step 2"),
        ("shape", r"Faulty-v0.*step 2.*\(16, 1\).*\(16,\)"),
        ("observation", r"Faulty-v0.*step 2.*\(15,\).*\(16,\)"),
    ],
)
def test_a_plug_ins_fault_is_named_by_task_and_step(faulty, tmp_path, kind, sentence):
    with pytest.raises(PlugInError, match=sentence):
        train(faulty(kind), tmp_path, show=False)


def test_a_fault_in_the_middle_costs_only_what_came_after_the_checkpoint(faulty, tmp_path):
    with pytest.raises(PlugInError):
        # The third meta-episode of three steps
        train(faulty("nan", at_step=8), tmp_path, checkpoint_seconds=0, show=False)
    assert len(RunFolder(tmp_path).metrics) == 2
    load_agent(tmp_path)  # from the checkpoint after two iterations


@pytest.fixture
def trained(tmp_path):
    run = RunConfig("rl2", small(), "BernoulliBandit-v0", {"arms": 2})
    train(run, tmp_path / "run", show=False)
    RunFolder(tmp_path / "run").weights().unlink()  # as if stopped just before the end
    return run, tmp_path / "run"


@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "foreign"])
def test_a_bad_checkpoint_is_refused_untouched(trained, damage):
    run, folder = trained
    file = RunFolder(folder).checkpoint
    content = file.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    bad = {
        "flipped": flipped,
        "truncated": content[:-10],
        "empty": b"",
        "foreign": b"PK\x03\x04" * 100,
    }[damage]
    file.write_bytes(bad)
    for use in (lambda: train(run, folder, show=False), lambda: load_agent(folder)):
        with pytest.raises(CheckpointError, match=r"Restore it from a copy, or delete it"):
            use()
    assert file.read_bytes() == bad
    file.write_bytes(content)
    train(run, folder, show=False)


@pytest.mark.parametrize(
    ("number", "sentence"), [(errno.ENOSPC, "no space is left"), (errno.EROFS, "read-only for you")]
)
def test_a_full_or_read_only_folder_is_refused_before_training(
    trained, tmp_path, monkeypatch, number, sentence
):
    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    def never(self):
        raise AssertionError("training began")

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr("metarl.learners.memory.rl2.RL2.update", never)
    with pytest.raises(StorageError, match=sentence):
        train(trained[0], tmp_path / "other", show=False)


def test_a_folder_in_use_is_refused(trained):
    run, folder = trained
    with RunFolder(folder).lock(), pytest.raises(RunFolderError, match="in use by another process"):
        train(run, folder, show=False)


def test_a_folder_with_another_config_is_refused(trained):
    run, folder = trained
    other = RunConfig(
        "rl2", small(network=NetworkConfig(hidden_size=16)), "BernoulliBandit-v0", {"arms": 3}
    )
    with pytest.raises(
        RunFolderError,
        match=r"config.network.hidden_size is 8 there, 16 here; arguments.arms is 2 there, 3 here",
    ):
        train(other, folder, show=False)
    train(run, folder, show=False)


def test_nothing_global_is_left_behind(tmp_path):
    before = torch.get_rng_state()
    train(RunConfig("rl2", small()), tmp_path, show=False)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("wrong", [7, -5])
def test_an_action_that_there_is_not_gets_a_sentence(wrong):
    env = MetaEpisodeEnv(GridMaze(), Episodes(1), 3, torch_generator(0))
    env.reset(fresh_tasks(GridMaze(), "train", 3, 0))
    with pytest.raises(
        PlugInError,
        match=f"GridMaze-v0: row 1 was given the action {wrong}; there are actions 0 to 3",
    ):
        env.step(torch.tensor([0, wrong, 2]))


# None of it, or from the start; by the config's class where others have the name too
NOUGHT_MEANS_SOMETHING = {
    "momentum", "beta1", "beta2", "discount", "gae_lambda", "log_std", "damping", "lr_end", "entropy_coef", "entropy_end", "value_coef",
    "weight_decay", "reward_clip", "epsilon_end", "alpha", "beta", "beta_steps", "warmup_updates", "random_option", "fine_tune_after",
    "master_only_features", "v_min", "v_max", "sigma", "start", "epsilon", "hidden", "update_every", "target_every", "epsilon_steps",
}  # fmt: skip
NEGATIVE_MEANS_SOMETHING = {"log_std", "v_min", "v_max"}
NO_LIMIT = {"clip", "max_grad_norm", "reward_clip"}


def numbers_of(config, path=()):
    """Every field that holds numbers, nested ones too, as (path, value)."""
    for entry in fields(config):
        value = getattr(config, entry.name)
        if is_dataclass(value):
            yield from numbers_of(value, (*path, entry.name))
        elif (
            (isinstance(value, int | float) and not isinstance(value, bool))
            or value is None
            or isinstance(value, tuple)
        ):
            yield (*path, entry.name), value


def changed(config, path, value):
    inner = value if len(path) == 1 else changed(getattr(config, path[0]), path[1:], value)
    return replace(config, **{path[0]: inner})


@pytest.mark.parametrize("learner", learner_names())
def test_numbers_of_every_config_are_checked(learner):
    config = learner_class(learner).Config()
    for path, usual in numbers_of(config):
        legitimate = {
            math.inf: NO_LIMIT,
            -1: NEGATIVE_MEANS_SOMETHING,
            0: NOUGHT_MEANS_SOMETHING,
            math.nan: set(),
        }
        for value, allowed in legitimate.items():
            if path[-1] in allowed:
                continue
            with pytest.raises(ValueError, match=r"must|can't|need|probability|whole number"):
                changed(config, path, (value,) if isinstance(usual, tuple) else value)


@pytest.mark.parametrize("learner", learner_names())
def test_settings_within_settings_are_checked(learner):
    config = learner_class(learner).Config()
    nested = [entry.name for entry in fields(config) if is_dataclass(getattr(config, entry.name))]
    for name in nested:
        for value in ("lstm", {}, 3, type(getattr(config, name))):
            with pytest.raises(ValueError, match=rf"{name} must be \w+\(\.\.\.\)"):
                replace(config, **{name: value})
