"""Checks that a distribution's optimum and upper bound bound what can be scored."""

import math
from collections.abc import Callable

import torch
from scipy.stats import norm
from torch import Tensor

from metarl.checks.nested import difference
from metarl.checks.playing import actions_for, first_returns
from metarl.checks.require import require
from metarl.core.capabilities import optimum_of, relaxation_of, upper_bound_of
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution

__all__ = [
    "BOUND_CHECKS",
    "ONE_SIDED",
    "check_optimum_is_below_the_upper_bound",
    "check_random_play_is_below_the_bounds",
    "excess",
]

Make = Callable[[], TaskDistribution]
ONE_SIDED = float(norm.ppf(0.999))
# a long episode is played in fewer tasks
TASKS = 4096
FEWEST_TASKS = 256
STEPS = 200_000
NOISE_STEPS = 40


def excess(scores: Tensor, bound: Tensor | float) -> float:
    """By how many standard errors the mean of `scores` [n] lies above `bound` (paired where it is a
    tensor [n]).
    """
    differences = scores.to(torch.float64) - bound
    error = float(differences.std()) / len(differences) ** 0.5
    mean = float(differences.mean())
    if abs(mean) <= 1e-6 * (1 + float(scores.abs().max())):
        return 0.0  # sums of float32 rewards are no more exact
    return mean / error if error >= 1e-12 else math.copysign(math.inf, mean)


def check_optimum_is_below_the_upper_bound(make_distribution: Make) -> None:
    """`upper_bound` gives a number for each task.

    `optimum` lies below its mean and below `relaxation`.
    """
    distribution = make_distribution()
    tasks = distribution.sample(TASKS, "test", 0)
    for episodes in (1, 4):
        bound = upper_bound_of(distribution, tasks, episodes)
        optimum = optimum_of(distribution, episodes)
        relaxation = relaxation_of(distribution, episodes)
        if bound is not None:
            fits = (
                isinstance(bound, Tensor)
                and tuple(bound.shape) == (TASKS,)
                and bound.is_floating_point()
                and bool(torch.isfinite(bound).all())
            )
            require(
                fits,
                f"{distribution.id}: upper_bound(tasks, {episodes}) isn't one finite number a"
                " task.",
                f"Give floats of shape ({TASKS},).",
            )
        if optimum is None:
            continue
        fits = isinstance(optimum, float) and abs(optimum) < float("inf")
        require(
            fits,
            f"{distribution.id}: optimum({episodes}) is {optimum!r}.",
            "Give a finite float, or None where it can't be computed.",
        )
        if bound is not None:
            above = -excess(bound, optimum)
            require(
                above <= ONE_SIDED,
                f"{distribution.id}: optimum({episodes}) = {optimum:.6g} lies {above:.1f} standard"
                f" errors above the mean upper bound, {float(bound.mean()):.6g}.",
                "An agent that knows the task can't be worse than one that doesn't: correct one of"
                " the two.",
            )
        if relaxation is not None:
            require(
                optimum <= relaxation + 1e-9 * (1 + abs(relaxation)),
                f"{distribution.id}: optimum({episodes}) = {optimum:.6g} lies above"
                f" relaxation({episodes}) = {relaxation:.6g}.",
                "A relaxation bounds the optimum from above: correct one of the two.",
            )


def check_random_play_is_below_the_bounds(make_distribution: Make) -> None:
    """Random actions don't beat the upper bound (paired) nor the optimum, one-sided at 99.9 %.

    Without noise, in no task.
    """
    distribution = make_distribution()
    num_tasks = min(TASKS, max(FEWEST_TASKS, STEPS // distribution.horizon))
    tasks = distribution.sample(num_tasks, "test", 1)
    bound = upper_bound_of(distribution, tasks, 1)
    optimum = optimum_of(distribution, 1)
    if bound is None and optimum is None:
        return
    actions = actions_for(distribution, distribution.horizon, num_tasks, 0)
    scores = first_returns(distribution, tasks, actions, torch_generator(0, "checks", "noise"))
    for name, limit in (("upper bound", bound), ("optimum", optimum)):
        if limit is None:
            continue
        above = excess(scores, limit)
        require(
            above <= ONE_SIDED,
            f"{distribution.id}: random actions score {float(scores.mean()):.6g}, {above:.1f}"
            f" standard errors above the {name}.",
            f"Correct the {name}, or the rewards: nothing may beat it.",
        )
    if bound is not None and without_noise(distribution):
        worst = int((scores.to(torch.float64) - bound).argmax())
        score = float(scores[worst])
        most = float(bound[worst])
        require(
            score <= most + 1e-4 * (1 + abs(most)),
            f"{distribution.id}: in a task whose upper bound is {most:.6g}, random actions score"
            f" {score:.6g}.",
            "Nothing is left to chance here, so the bound must hold in every single task: correct"
            " it, or the rewards.",
        )


def without_noise(distribution: TaskDistribution) -> bool:
    """Return whether starts and steps of some tasks are the same, states and rewards included,
    whatever the generator.
    """
    n = 64
    tasks = distribution.sample(n, "test", 2)
    rngs = [torch_generator(seed, "checks", "noise") for seed in (1, 2)]
    states = [distribution.reset(tasks, rng)[0] for rng in rngs]
    for action in actions_for(distribution, min(NOISE_STEPS, distribution.horizon), n, 1):
        if difference(*states) is not None:
            return False
        one, other = (
            distribution.step(tasks, state, action, rng)
            for state, rng in zip(states, rngs, strict=True)
        )
        if difference((one.reward, one.terminated), (other.reward, other.terminated)) is not None:
            return False
        states = [one.state, other.state]
    return difference(*states) is None


BOUND_CHECKS = (check_optimum_is_below_the_upper_bound, check_random_play_is_below_the_bounds)
