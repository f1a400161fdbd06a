"""Learners, agents and weights that aren't finite are named as such, whichever learner it is.

Nothing of them is scored.
"""

import math
import re
from inspect import signature

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

from metarl.agents.registry import AGENTS, agent_class, make_agent
from metarl.core.budget import Episodes, Steps
from metarl.core.errors import PlugInError
from metarl.core.registry import make
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.supervised import evaluate_supervised
from metarl.learners.registry import SUPERVISED_LEARNERS, make_learner
from metarl.networks.finite import all_finite
from tests.learners.tiny_configs import (
    EPISODE_LEARNERS,
    EXAMPLE_LEARNERS,
    shown,
    tiny_config,
    with_rate,
)

FAMILIES = {
    "a bandit": lambda: make("BernoulliBandit-v0", arms=3),
    "a box": lambda: shown(gym.spaces.Box(-1, 1, (3,)), gym.spaces.Box(-1, 1, (2,))),
    "images": lambda: shown(gym.spaces.Box(0, 255, (20, 20, 3), np.uint8)),
    "numbers": lambda: shown(gym.spaces.Discrete(3)),
}


def family_for(learner, name):
    """Return the family, or None where it isn't the learner's."""
    if learner in SUPERVISED_LEARNERS:
        return make("SineRegression-v0") if name == "a box" else None
    if name == "images" and learner not in ("rl2", "joint-ppo", "joint-rainbow"):
        return None
    return None if name == "a box" and learner == "joint-rainbow" else FAMILIES[name]()


def cases(learners):
    return [
        (learner, name)
        for learner in learners
        for name in FAMILIES
        if family_for(learner, name) is not None
    ]


def spoilt(weights, value):
    """Return the same weights with one number of the last floating tensor that has any at `value`."""
    leaves = [leaf for leaf in tree_leaves(weights) if leaf.is_floating_point() and leaf.numel()]
    return tree_map(
        lambda leaf: torch.full_like(leaf, value) if leaf is leaves[-1] else leaf, weights
    )


def filled_with(value):
    """Make floating tensors hold nothing else."""
    return lambda leaf: (
        torch.full_like(leaf, value)
        if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()
        else leaf
    )


def unchecked(patch):
    """Let learners load what isn't finite."""
    for module in (
        "hierarchy.mlsh",
        "initialisation.learn2learn",
        "initialisation.policy_initialisation",
        "initialisation.supervised_initialisation",
        "memory.rl2",
        "policy_gradient.online_ppo",
        "transfer.joint",
        "transfer.rainbow",
    ):
        patch.setattr(f"metarl.learners.{module}.check_weights", lambda weights: None)


def yields(learner, trained):
    """Return what a learner is trained for."""
    return trained.adapter() if learner in SUPERVISED_LEARNERS else trained.agent(Episodes(2))


@pytest.mark.parametrize("learner", [*EPISODE_LEARNERS, *EXAMPLE_LEARNERS])
def test_an_update_that_diverges_raises_whoever_calls_it(learner):
    family = (
        make("SineRegression-v0")
        if learner in SUPERVISED_LEARNERS
        else shown(gym.spaces.Box(-1, 1, (3,)), length=4)
    )
    trained = make_learner(learner, family, with_rate(learner, 1e30))
    error = None
    try:
        for _ in range(4):
            assert all(math.isfinite(value) for value in trained.update().values())
    except ValueError as caught:
        error = caught
    if error is None:  # saturated, but everything is a number
        assert learner in ("joint-ppo", "mlsh", "rl2") or learner.endswith("-rl")
        assert all_finite(tree_leaves(trained.weights()))
        return
    assert re.search(r"diverged|aren't finite", str(error))
    assert "smaller" in str(error)
    assert not isinstance(error, PlugInError)
    assert "Shown-v0" not in str(error)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("learner", "name"), cases([*EPISODE_LEARNERS, *EXAMPLE_LEARNERS]))
def test_an_update_from_weights_that_are_not_finite_raises(learner, name, value, monkeypatch):
    family = family_for(learner, name)
    trained = make_learner(learner, family, tiny_config(learner))
    unchecked(monkeypatch)
    trained.load_weights(spoilt(trained.weights(), value))
    with pytest.raises(ValueError, match=r"diverged|aren't finite") as raised:
        trained.update()
    assert "smaller" in str(raised.value)
    assert not isinstance(raised.value, PlugInError)
    assert family.id not in str(raised.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("learner", "name"), cases([*EPISODE_LEARNERS, *EXAMPLE_LEARNERS]))
def test_weights_that_are_not_finite_are_not_loaded(learner, name, value):
    trained = make_learner(learner, family_for(learner, name), tiny_config(learner))
    before = trained.weights()
    with pytest.raises(
        ValueError,
        match=r"These weights hold numbers that aren't finite .* first in .*earlier checkpoint",
    ):
        trained.load_weights(spoilt(before, value))
    state = trained.state_dict()
    part = next(
        name for name in ("online", "policy", "sub_policies", "initial", "trained") if name in state
    )
    with pytest.raises(ValueError, match="These weights hold numbers that aren't finite"):
        trained.load_state_dict({**state, part: tree_map(filled_with(value), state[part])})
    yields(learner, trained)
    assert all(
        torch.equal(a, b)
        for a, b in zip(tree_leaves(before), tree_leaves(trained.weights()), strict=True)
    )


@pytest.mark.parametrize(("learner", "name"), cases([*EPISODE_LEARNERS, *EXAMPLE_LEARNERS]))
def test_a_learner_that_is_not_finite_yields_nothing_to_score(learner, name, monkeypatch):
    trained = make_learner(learner, family_for(learner, name), tiny_config(learner))
    with monkeypatch.context() as patch:  # as if training had spoilt them
        unchecked(patch)
        trained.load_weights(spoilt(trained.weights(), math.nan))
    with pytest.raises(ValueError, match="These weights hold numbers that aren't finite"):
        yields(learner, trained)


@pytest.mark.parametrize("budget", [Episodes(2), Steps(8)], ids=str)
@pytest.mark.parametrize(("learner", "name"), cases(EPISODE_LEARNERS))
def test_an_agent_spoilt_later_is_named_and_its_environment_is_not(
    learner, name, budget, monkeypatch
):
    family = family_for(learner, name)
    trained = make_learner(learner, family, tiny_config(learner))
    unchecked(monkeypatch)
    trained.load_weights(tree_map(filled_with(math.nan), trained.weights()))
    agent = trained.agent(budget)
    with pytest.raises(ValueError, match=r"puts out numbers that aren't finite \(nan in row 0\)"):
        evaluate(agent, family, "test", 3, 0, budget)


def test_fine_tuning_that_diverges_at_test_is_named():
    family = shown(gym.spaces.Box(-1, 1, (3,)), length=4)
    agent = make_learner("joint-rainbow", family, with_rate("joint-rainbow", 1e30)).agent(Steps(60))
    with pytest.raises(ValueError, match="puts out numbers that aren't finite"):
        evaluate(agent, family, "test", 2, 0, Steps(60))


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, 1e39, math.inf])
@pytest.mark.parametrize("learner", [*EPISODE_LEARNERS, *EXAMPLE_LEARNERS])
def test_step_sizes_that_no_weight_survives_are_refused_at_once(learner, rate):
    with pytest.raises(ValueError, match="lr.* must be (positive|at most |a number|finite)"):
        with_rate(learner, rate)


@pytest.mark.parametrize("learner", EXAMPLE_LEARNERS)
def test_inner_loops_that_diverge_at_test_are_named(learner):
    sines = make("SineRegression-v0")
    trained = make_learner(learner, sines, tiny_config(learner))
    adapter = trained.adapter()
    if learner == "learn2learn":
        for parameter in adapter.algorithm.parameters():
            parameter.data.mul_(1e30)
    else:
        adapter = type(adapter)(
            adapter.problem, [weight * 1e30 for weight in adapter.initial], adapter.optimizer
        )
    with pytest.raises(ValueError, match="diverged"):
        evaluate_supervised(adapter, sines, "test", 3, 0, 3)


class Constant:
    """Always takes the same action."""

    def __init__(self, action):
        self.action = action

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        return self.action.expand(len(step.prev_reward), *self.action.shape), state


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_users_agent_whose_actions_are_not_finite_is_named(value):
    for family in (FAMILIES["a box"](), make("PointNavigation-v0")):
        with pytest.raises(
            PlugInError,
            match=rf"Constant: at step 1 row 0 .*isn't finite.*not that of {re.escape(family.id)}",
        ):
            evaluate(Constant(torch.tensor([0.0, value])), family, "test", 3, 0, Steps(4))


def test_a_users_agent_with_actions_of_another_shape_is_named():
    with pytest.raises(PlugInError, match="Constant: Actions for 3 rows"):
        evaluate(Constant(torch.zeros(5)), FAMILIES["a box"](), "test", 3, 0, Steps(4))


@pytest.mark.parametrize("agent", sorted(AGENTS))
def test_exact_agents_refuse_parameters_that_are_not_finite(agent):
    kind = agent_class(agent)
    numbers = [
        name for name, part in signature(kind).parameters.items() if "float" in str(part.annotation)
    ]
    families = (
        make(id)
        for id in ("BernoulliBandit-v0", "GaussianBandit-v0", "RandomMDP-v0", "GridMaze-v0")
    )
    family = (
        next((family for family in families if kind.supports(family)), None) if numbers else None
    )
    for name in numbers if family is not None else ():
        for value in (math.nan, math.inf):
            with pytest.raises(ValueError, match=name):
                make_agent(agent, family, Episodes(2), **{name: value})


def test_a_look_at_tensors_finds_what_is_not_finite():
    whole = [
        torch.ones(3),
        torch.zeros(2, 0),
        torch.arange(3),
        torch.ones(2, dtype=torch.float64),
        *nn.Linear(2, 2).parameters(),
    ]
    assert all_finite(whole)
    assert all_finite([])
    assert all_finite([torch.tensor([1e30, 1e30])])
    for value in (math.nan, math.inf, -math.inf):
        assert not all_finite([*whole, torch.tensor([1.0, value, 1.0])])
        assert not all_finite([*whole, torch.tensor(value, dtype=torch.float64)])
