"""The agent that does nothing."""

import numpy as np
import pytest
import torch

from metarl.agents.do_nothing import DoNothing
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.metaworld.meta_world import MetaWorldML1


def test_it_acts_with_zeros():
    arm = MetaWorldML1(horizon=4)
    budget = Episodes(2, 0)
    played = evaluate(DoNothing(arm, budget), arm, "test", 2, 0, budget, record_actions=True)
    assert played.actions.shape == (2, 8, 4)
    assert not played.actions.any()


def test_it_needs_actions_that_include_zeros():
    with pytest.raises(ValueError, match="action of zeros; Discrete"):
        DoNothing(BernoulliBandit(2), Episodes(1))
    arm = MetaWorldML1(horizon=1)
    arm.action_space = type(arm.action_space)(np.float32([0.5]), np.float32([1.0]))
    assert not DoNothing.supports(arm)
    assert (
        torch.float32
        == DoNothing(MetaWorldML1(horizon=1), Episodes(1)).act(_Seen, (), None)[0].dtype
    )


class _Seen:
    prev_reward = torch.zeros(3)
