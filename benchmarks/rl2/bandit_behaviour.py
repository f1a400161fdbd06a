"""What an agent does in bandits, pull by pull: which arms, how many, whether it stays, and what
each choice costs.

Every function reads an evaluation with recorded actions and gives a matrix [tasks, pulls], whose
means over tasks `metarl.analysis.figures.mean_curves` draws.
"""

import numpy as np
import torch

from metarl.agents.bandits.bayes_optimal import BayesOptimal
from metarl.agents.bandits.posterior import ArmCounts
from metarl.core.budget import Episodes
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.protocol import Evaluation

__all__ = ["arm_ranks", "arms_tried", "rank_shares", "stayed", "value_lost"]


def arm_ranks(evaluation: Evaluation, distribution: TaskDistribution) -> np.ndarray:
    """Return how good the pulled arm is among its bandit's [tasks, pulls].

    0 is the best one, and the number of arms less 1 the worst.

    Raises:
        ValueError: no recorded pulls, or a distribution that doesn't draw the tasks that were
            played.
    """
    return np.take_along_axis(_ranks(evaluation, distribution), _pulled(evaluation), 1)


def rank_shares(evaluation: Evaluation, distribution: TaskDistribution) -> np.ndarray:
    """Share of the tasks in which the pull went to the best, the second best, ...

    Arm [arms, pulls]; each column sums to 1.
    """
    ranks = _ranks(evaluation, distribution)
    pulled = np.take_along_axis(ranks, _pulled(evaluation), 1)
    return np.stack([(pulled == rank).mean(0) for rank in range(ranks.shape[1])])


def arms_tried(evaluation: Evaluation) -> np.ndarray:
    """Return how many different arms were pulled so far, this pull's included [tasks, pulls]."""
    pulled = _pulled(evaluation)
    seen = np.zeros((len(pulled), int(pulled.max()) + 1), bool)  # [tasks, arms]
    tried = np.empty_like(pulled)
    for t, arm in enumerate(pulled.T):
        seen[np.arange(len(seen)), arm] = True
        tried[:, t] = seen.sum(1)
    return tried


def stayed(evaluation: Evaluation, after: str) -> np.ndarray:
    """1 where the pull repeats the arm of the last one, 0 where it doesn't [tasks, pulls]; NaN
    where the last one ended otherwise.

    The mean over tasks is the rate of win-stay for after="win"; for after="loss", one minus it is
    the rate of lose-shift.

    Args:
        after: "win" (the last pull paid 1) or "loss" (it paid 0). The first pull is always NaN.

    Raises:
        ValueError: rewards other than 0 and 1, which are neither.
    """
    if after not in ("win", "loss"):
        raise ValueError(f"A pull follows a 'win' or a 'loss', not {after!r}.")
    pulled = _pulled(evaluation)
    reward = evaluation.matrix()
    if not np.isin(reward, (0, 1)).all():
        raise ValueError(
            f"Wins and losses are rewards of 1 and 0; {evaluation.distribution} pays others."
        )
    same = np.full(pulled.shape, np.nan)
    counted = reward[:, :-1] == (after == "win")
    same[:, 1:][counted] = (pulled[:, 1:] == pulled[:, :-1])[counted]
    return same


def value_lost(evaluation: Evaluation, distribution: TaskDistribution) -> np.ndarray:
    """Return what each pull gives away [tasks, pulls]: the best expected sum of rewards still to
    come, less that after this pull.

    0 where the Bayes-optimal agent could have pulled the same arm, seeing what this agent saw.
    Summed over the pulls, the mean over tasks is the optimum less the agent's expected total (the
    performance difference lemma), with far less noise than the rewards have.

    Raises:
        ValueError: not a Bernoulli bandit, or one whose optimum can't be computed.

    Source: Kakade and Langford 2002, lemma 6.1, for the Bayes-adaptive process of Duff 2002.
    """
    pulled = torch.from_numpy(_pulled(evaluation))
    reward = torch.from_numpy(evaluation.matrix()).to(torch.float32)
    if (evaluation.distribution, evaluation.config) != (distribution.id, distribution.config()):
        raise ValueError(
            f"{distribution!r} isn't what this evaluation played; pass the distribution that was"
            " played."
        )
    optimal = BayesOptimal(distribution, evaluation.budget)
    counts = ArmCounts(
        torch.zeros(len(pulled), optimal.arms), torch.zeros(len(pulled), optimal.arms)
    )
    lost = []
    for t in range(pulled.shape[1]):
        # [tasks, arms], [tasks, 1]
        values = optimal.action_values(counts)
        arm = pulled[:, t : t + 1]
        lost.append(values.amax(1) - values.gather(1, arm)[:, 0])
        counts.pulls.scatter_add_(1, arm, torch.ones_like(reward[:, t : t + 1]))
        counts.sums.scatter_add_(1, arm, reward[:, t : t + 1])
    return torch.stack(lost, 1).numpy()


def _ranks(evaluation: Evaluation, distribution: TaskDistribution) -> np.ndarray:
    """Return each bandit's arms [tasks, arms] by their means: 0 is the best."""
    tasks = distribution.sample(evaluation.num_tasks, evaluation.split, evaluation.seed)
    means = getattr(tasks, "means", None)
    if means is None or tasks.fingerprint != evaluation.fingerprint:
        raise ValueError(
            f"{distribution!r} doesn't draw the bandits of this evaluation; pass the distribution"
            " that was played."
        )
    ranks: np.ndarray = means.argsort(dim=1, descending=True, stable=True).argsort(dim=1).numpy()
    return ranks


def _pulled(evaluation: Evaluation) -> np.ndarray:
    """Return the arms [tasks, pulls] that were pulled."""
    if evaluation.actions is None:
        raise ValueError("The pulls weren't recorded; evaluate with record_actions=True.")
    if (
        not isinstance(evaluation.budget, Episodes)
        or evaluation.horizon != 1
        or evaluation.actions.ndim != 2
    ):
        raise ValueError(
            f"{evaluation.distribution} isn't a bandit played for a number of pulls; these figures"
            " are only for those."
        )
    return evaluation.actions
