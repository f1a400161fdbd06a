"""Seeds and sizes.

Every entry point takes the same whole numbers, and says the same of what is none.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.core.registry import DISTRIBUTIONS, make
from metarl.core.seeding import derive_seed
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.interop.gymnasium_env import MetaEpisodeGymnasium, MetaEpisodeVector
from metarl.learners.initialisation.fomaml import FOMAML, FOMAMLConfig
from metarl.learners.memory.rl2 import RL2, RL2Config
from tests.tasks.noisy_walk import NoisyWalk

BANDIT = metarl.make("BernoulliBandit-v0", arms=2)
SINES = metarl.make("SineRegression-v0")
BUDGET = metarl.Episodes(1)
RANDOM = metarl.make_agent("random", BANDIT, BUDGET)
SMALL = RL2Config(episodes=1, iterations=1, num_envs=4)
FOMAML_LEARNER = FOMAML(FOMAMLConfig(iterations=1, tasks=1, inner_steps=1), SINES)


def adapted(**arguments):
    return metarl.GymnasiumDistribution(
        "NoisyWalk-v0", NoisyWalk, **{"splits": {"train": [0.0], "test": [1.0]}, **arguments}
    )


def several():
    return MetaEpisodeVector(BANDIT, BUDGET, num_envs=2)


SEEDS = {
    "derive_seed": derive_seed,
    "sample": lambda seed: BANDIT.sample(1, "train", seed),
    "sample of adapted": lambda seed: adapted().sample(1, "train", seed),
    "sample of supervised": lambda seed: SINES.sample(1, "train", seed),
    "fresh_tasks": lambda seed: fresh_tasks(BANDIT, "train", 1, seed),
    "evaluate": lambda seed: metarl.evaluate(RANDOM, BANDIT, "test", 1, seed, BUDGET),
    "evaluate_supervised": lambda seed: metarl.evaluate_supervised(
        FOMAML_LEARNER.adapter(), SINES, "test", 1, seed, steps=1
    ),
    "make_learner": lambda seed: metarl.make_learner("rl2", BANDIT, SMALL, seed),
    "seeds of RL2": lambda seed: RL2(SMALL, BANDIT, (7, seed)),
    "other learner": lambda seed: metarl.make_learner("reptile", SINES, None, seed),
    "single": lambda seed: MetaEpisodeGymnasium(BANDIT, BUDGET).reset(seed=seed),
    "vector": lambda seed: several().reset(seed=seed),
    "vector, a list": lambda seed: several().reset(seed=[7, seed]),
    "gymnasium.make": lambda seed: gym.make("metarl/BernoulliBandit-v0").reset(seed=seed),
    "gymnasium.make_vec": (
        lambda seed: gym.make_vec("metarl/BernoulliBandit-v0", 2).reset(seed=seed)
    ),
}
# As Gymnasium has it
NONE_IS_FINE = {"single", "vector", "vector, a list", "gymnasium.make", "gymnasium.make_vec"}
SIZES = {
    "sample": lambda n: BANDIT.sample(n, "train", 0),
    "sample of adapted": lambda n: adapted().sample(n, "train", 0),
    "sample of supervised": lambda n: SINES.sample(n, "train", 0),
    "fresh_tasks": lambda n: fresh_tasks(BANDIT, "train", n, 0),
    "num_tasks": lambda n: metarl.evaluate(RANDOM, BANDIT, "test", n, 0, BUDGET),
    "num_tasks of supervised": lambda n: metarl.evaluate_supervised(
        FOMAML_LEARNER.adapter(), SINES, "test", n, 0, steps=1
    ),
    "steps of supervised": lambda n: metarl.evaluate_supervised(
        FOMAML_LEARNER.adapter(), SINES, "test", 1, 0, steps=n
    ),
    "num_envs": lambda n: MetaEpisodeEnv(BANDIT, BUDGET, n, torch.Generator()),
    "num_envs of vector": lambda n: MetaEpisodeVector(BANDIT, BUDGET, num_envs=n),
    "horizon": lambda n: adapted(horizon=n),
    "workers": lambda n: adapted(workers=n),
    "Episodes": metarl.Episodes,
    "after": lambda n: metarl.Episodes(1, after=n),
    "Steps": metarl.Steps,
    "learner's setting": lambda n: metarl.make_learner("fomaml", SINES, FOMAMLConfig(tasks=n)),
}
LEFT_OUT = {"num_tasks", "horizon"}  # None may stand for a default
ODD = [1.5, 3.0, True, np.bool_(True), "3", None, -1, 2**70, np.array([1, 2]), float("nan")]


@pytest.mark.parametrize("entry", SEEDS)
def test_seeds(entry):
    SEEDS[entry](np.int64(3))
    SEEDS[entry](np.uint8(3))
    for odd in ODD:
        if (odd is None and entry in NONE_IS_FINE) or (
            isinstance(odd, np.ndarray) and entry in ("vector", "gymnasium.make_vec")
        ):
            continue
        with pytest.raises(ValueError, match=r"seed must be (a whole number|at least 0|at most)"):
            SEEDS[entry](odd)


@pytest.mark.parametrize("entry", SIZES)
def test_sizes(entry):
    SIZES[entry](np.int64(2))
    for odd in ODD:
        if odd is None and entry in LEFT_OUT:
            continue
        with pytest.raises(
            ValueError, match=r"must be (a whole number|at least|at most)|A budget needs"
        ):
            SIZES[entry](odd)


def test_the_same_number_is_the_same_seed():
    one, other = (
        metarl.evaluate(RANDOM, BANDIT, "test", 2, seed, BUDGET) for seed in (3, np.int64(3))
    )
    assert one.fingerprint == other.fingerprint
    assert type(other.seed) is int
    first, again = (several().reset(seed=seed)[0] for seed in (3, np.int32(3)))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("id", DISTRIBUTIONS)
def test_whole_arguments_of_families(id):
    from inspect import signature

    from metarl.core.registry import distribution_class

    whole = [
        name
        for name, each in signature(distribution_class(id), eval_str=True).parameters.items()
        if each.annotation is int
    ]
    for name in whole:
        for odd in [1.5, True, "3", None, 2**70]:
            with pytest.raises(
                ValueError, match=rf"{name} must (be a whole number, not|lie between)"
            ):
                make(id, **{name: odd})


def test_numbers_of_numpy_become_pythons_own():
    bandit = make("BernoulliBandit-v0", arms=np.int64(3))
    assert type(bandit.config()["arms"]) is int
