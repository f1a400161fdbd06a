"""Checks of optimum and upper bound pass on exact ones and catch wrong ones."""

import math

import pytest
import torch

from metarl.checks.bounds import (
    BOUND_CHECKS,
    check_optimum_is_below_the_upper_bound,
    check_random_play_is_below_the_bounds,
    excess,
    without_noise,
)
from metarl.core.errors import PlugInError
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.control.cart_pole import CartPole
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.grid_navi import GridNavi
from metarl.tasks.mdps.identity import Identity
from tests.checks.families import Walk


class TooHighAnOptimum(BernoulliBandit):
    def optimum(self, episodes):
        return episodes * 0.9


class InfiniteOptimum(BernoulliBandit):
    def optimum(self, episodes):
        return math.inf


class OneEpisodeTooFew(Identity):
    def upper_bound(self, tasks, episodes):
        return super().upper_bound(tasks, episodes - 1)


class MeanArm(BernoulliBandit):
    """The bound of an agent that doesn't choose, a little less."""

    def optimum(self, episodes):
        return None

    def upper_bound(self, tasks, episodes):
        return 0.9 * episodes * tasks.means.mean(1)


class ABitTooLow(GridMaze):
    """Random play is far from it on average, but not in a maze whose goal is next to the start."""

    def upper_bound(self, tasks, episodes):
        return super().upper_bound(tasks, episodes) - 0.5 * episodes


class LooseRelaxation(BernoulliBandit):
    def relaxation(self, episodes):
        return 0.5 * episodes - 0.1


class BoundOfAllTasks(BernoulliBandit):
    def upper_bound(self, tasks, episodes):
        return tasks.means.amax()


class PessimisticOptimum(BernoulliBandit):
    def optimum(self, episodes):
        return 0.4 * episodes

    def relaxation(self, episodes):
        return None


@pytest.mark.parametrize("check", BOUND_CHECKS)
@pytest.mark.parametrize("sound", [Walk, BernoulliBandit, Identity, GridMaze])
def test_sound_bounds_pass(sound, check):
    check(sound)


@pytest.mark.parametrize(
    ("broken", "check", "words"),
    [
        (
            TooHighAnOptimum,
            check_optimum_is_below_the_upper_bound,
            "standard errors above the mean upper bound",
        ),
        (
            OneEpisodeTooFew,
            check_optimum_is_below_the_upper_bound,
            "inf standard errors above the mean upper bound",
        ),
        (InfiniteOptimum, check_optimum_is_below_the_upper_bound, "Give a finite float"),
        (LooseRelaxation, check_optimum_is_below_the_upper_bound, "lies above relaxation"),
        (BoundOfAllTasks, check_optimum_is_below_the_upper_bound, "isn't one finite number a task"),
        (MeanArm, check_random_play_is_below_the_bounds, "standard errors above the upper bound"),
        (
            ABitTooLow,
            check_random_play_is_below_the_bounds,
            "the bound must hold in every single task",
        ),
        (
            PessimisticOptimum,
            check_random_play_is_below_the_bounds,
            "standard errors above the optimum",
        ),
    ],
)
def test_wrong_bounds_are_caught(broken, check, words):
    with pytest.raises(PlugInError, match=words):
        check(broken)


@pytest.mark.parametrize(
    ("family", "quiet"),
    [
        (Walk, False),
        (BernoulliBandit, False),
        (GridMaze, True),
        (GridNavi, True),
        (CartPole, False),
    ],
)
def test_families_without_noise_are_told_apart(family, quiet):
    assert without_noise(family()) == quiet


def test_excess_counts_standard_errors():
    scores = torch.tensor([1.0, 3.0, 1.0, 3.0])
    assert excess(scores, 1.0) == pytest.approx(1 / (math.sqrt(4 / 3) / 2))
    assert excess(scores, scores) == 0
    assert excess(scores, scores - 1) == math.inf
    assert excess(scores, scores + 1) == -math.inf
