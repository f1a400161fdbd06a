"""Distributions that tell their tasks.

What the observation holds, and that nothing else changes.
"""

import gymnasium as gym
import pytest
import torch

import metarl
from metarl.core.budget import Episodes
from metarl.core.capabilities import HasOptimum, HasRelaxation
from metarl.core.reveal import reveal
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from metarl.tasks.mdps.identity import Identity
from metarl.tasks.mdps.random_mdp import RandomMDP

FAMILIES = [
    BernoulliBandit(3),
    GaussianBandit(4),
    Identity(5, 3),
    Identity(3, 4, terminates=True),
    RandomMDP(3, 2, 4),
]


class Tasked(TaskDistribution):
    """A family without tensor steps, such as an adapted Gymnasium environment."""

    id = "Tasked-v0"
    observation_space = action_space = gym.spaces.Discrete(2)
    horizon = 5

    def sample(self, n, split, seed):
        return BernoulliBandit(2).sample(n, split, seed)


def play(distribution, seed=0, rows=8):
    """Rewards, ends and observations [T, B, ...] under one fixed list of actions."""
    env = MetaEpisodeEnv(distribution, Episodes(4, 0), rows, torch_generator(seed, "noise"))
    tasks = distribution.sample(rows, "test", 9)
    step = env.reset(lambda row, count: tasks)
    rng = torch_generator(1, "actions")
    outcomes = []
    steps = [step]
    for _ in range(env.max_steps):
        step, outcome = env.step(
            torch.randint(int(distribution.action_space.n), (rows,), generator=rng)
        )
        outcomes.append(outcome)
        steps.append(step)
    return tasks, steps, outcomes


@pytest.mark.parametrize("distribution", FAMILIES, ids=repr)
def test_everything_but_the_observation_stays(distribution):
    told = reveal(distribution)
    tasks, steps, outcomes = play(distribution)
    told_tasks, told_steps, told_outcomes = play(told)
    assert tasks.fingerprint == told_tasks.fingerprint
    for plain, revealed in zip(outcomes, told_outcomes, strict=True):
        for name in ("reward", "terminated", "truncated", "success", "episode", "meta_episode_end"):
            assert torch.equal(getattr(plain, name), getattr(revealed, name)), name
    for plain, revealed in zip(steps, told_steps, strict=True):
        for name in ("observation", "final_observation"):
            shown = told.observation_of(getattr(revealed, name))
            assert torch.equal(shown[:, 0], getattr(plain, name).to(torch.float32)), name
    assert (told.horizon, told.finite, told.splits, told.action_space) == (
        distribution.horizon,
        distribution.finite,
        distribution.splits,
        distribution.action_space,
    )


@pytest.mark.parametrize("distribution", FAMILIES, ids=repr)
def test_every_observation_holds_the_task(distribution):
    told = reveal(distribution)
    tasks, steps, _ = play(told)
    for step in steps[:-1]:
        for observation in (step.observation, step.final_observation):
            assert observation.shape == (8, *told.observation_space.shape)
            parameters = told.parameters_of(observation)
            assert list(parameters) == list(told.parameter_shapes)
            for name, parameter in parameters.items():
                assert torch.equal(parameter, getattr(tasks, name).to(torch.float32)), name


def test_the_layout_is_index_then_parameters_in_order():
    told = reveal(RandomMDP(3, 2, 4))
    tasks = told.sample(2, "train", 0)
    _, observation = told.reset(tasks, torch_generator(0, "noise"))
    assert observation.shape == (2, 1 + 6 + 18)
    assert observation.dtype == torch.float32
    wanted = torch.cat(
        [torch.zeros(1), tasks.reward_means[1].flatten(), tasks.transitions[1].flatten()]
    )
    assert torch.equal(observation[1], wanted.to(torch.float32))
    assert torch.equal(
        told.parameters_of(observation)["transitions"][1, 2, 1],
        tasks.transitions[1, 2, 1].to(torch.float32),
    )


def test_the_bound_stays_and_the_optimum_of_the_ignorant_goes():
    bandit = BernoulliBandit(3)
    told = reveal(bandit)
    tasks = bandit.sample(10, "test", 0)
    assert torch.equal(told.upper_bound(tasks, 7), bandit.upper_bound(tasks, 7))
    assert bandit.optimum(7) is not None
    assert not isinstance(told, HasOptimum)
    assert not isinstance(told, HasRelaxation)
    assert told.reveals


def test_id_config_and_repr_name_what_is_told():
    told = reveal(RandomMDP(3, 2, 4))
    assert told.id == "RandomMDP-v0/revealed"
    assert told.config() == RandomMDP(3, 2, 4).config()
    assert repr(told) == f"reveal({RandomMDP(3, 2, 4)!r})"
    assert metarl.make("RandomMDP-v0", **told.config()).config() == told.config()


def test_what_can_not_be_told_gets_a_sentence():
    with pytest.raises(ValueError, match="tells its tasks already"):
        reveal(reveal(BernoulliBandit(2)))
    with pytest.raises(ValueError, match="wrap a tensor family"):
        reveal(Tasked())


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ("GridNavi-v0", r'metarl.make\("GridNavi-v0/revealed"\) makes it of an id'),
        (None, "not None; make one by metarl.make"),
    ],
)
def test_anything_but_a_distribution_gets_a_sentence(other, sentence):
    with pytest.raises(ValueError, match=sentence):
        reveal(other)
