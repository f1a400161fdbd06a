"""A distribution, a learner and an agent as a user writes them, to be found as
`tests.own_things:NAME`.
"""

from metarl.agents.random import RandomAgent
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from tests.runs.tiny_learner import TinyLearner

__all__ = ["MyAgent", "MyBandit", "MyLearner", "three_arms", "two_arms"]


class MyBandit(BernoulliBandit):
    """A bandit of a user's."""

    id = "MyBandit-v0"

    def __init__(self, arms: int = 3):
        super().__init__(arms)


class MyAgent(RandomAgent):
    """An agent of a user's."""


class MyLearner(TinyLearner):
    """A learner of a user's."""


def two_arms():
    """Return a bandit of two arms."""
    return MyBandit(2)


three_arms = MyBandit(3)
