"""Means of agents on the random MDPs of Duan et al. 2016, for tests against known figures."""

from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.tasks.mdps.random_mdp import RandomMDP


def mean_total(kind, episodes, num_tasks, **parameters):
    """(mean total, its standard error) of an agent on held-out default MDPs."""
    distribution = RandomMDP()
    budget = Episodes(episodes, 0)
    scores = evaluate(
        kind(distribution, budget, **parameters), distribution, "test", num_tasks, 0, budget
    ).scores()
    return scores.mean(), scores.std() / num_tasks**0.5


def agrees(found, figure, error):
    """Return whether a mean agrees with a published figure that has a standard error of its own, at
    four standard errors.
    """
    mean, own_error = found
    return abs(mean - figure) < 4 * (own_error**2 + error**2) ** 0.5
