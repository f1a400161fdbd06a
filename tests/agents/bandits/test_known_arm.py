"""The agent that is told a bandit's means."""

import pytest
import torch

from metarl.agents.bandits.known_arm import KnownArm
from metarl.core.budget import Episodes
from metarl.core.reveal import reveal
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from metarl.tasks.mdps.random_mdp import RandomMDP


@pytest.mark.parametrize("bandit", [BernoulliBandit(5), GaussianBandit(3, noise=0.5)], ids=repr)
def test_it_always_pulls_the_best_arm_and_scores_the_bound(bandit):
    told = reveal(bandit)
    budget = Episodes(10, 0)
    result = evaluate(KnownArm(told, budget), told, "test", 2000, 0, budget, record_actions=True)
    tasks = bandit.sample(2000, "test", 0)
    assert torch.equal(
        torch.from_numpy(result.actions), tasks.means.argmax(1)[:, None].expand(-1, 10)
    )
    difference = result.scores() - bandit.upper_bound(tasks, 10).numpy()
    assert abs(difference.mean()) < 4 * difference.std() / 2000**0.5


def test_it_plays_revealed_bandits_only():
    for distribution in (BernoulliBandit(2), reveal(RandomMDP())):
        assert not KnownArm.supports(distribution)
        with pytest.raises(ValueError, match="bandits whose means are told"):
            KnownArm(distribution, Episodes(2))
