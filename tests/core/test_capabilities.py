"""What families can do beyond being played: asked by protocols, passed on by what stands in."""

import copy
import inspect
import pickle

import pytest
import torch

import metarl
from metarl.checks.playing import has_tensor_steps
from metarl.core.capabilities import (
    MEMBERS,
    CountsTasks,
    HasOdometry,
    HasOptimum,
    HasRelaxation,
    HasSize,
    HasUpperBound,
    ListsTasks,
    NamesTasks,
    Renderable,
    RendersPaths,
    UsesWorkers,
    draws_rows,
    every_task,
    odometry_of,
    optimum_of,
    picture_of_path,
    pictures_of,
    relaxation_of,
    task_count_of,
    upper_bound_of,
)
from metarl.core.reveal import reveal
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.ceiling import ceiling_of, normalised_score
from metarl.runs.progress import yardstick
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.visual_maze import VisualMaze
from metarl.tasks.mdps.identity import Identity
from tests.playable import playable_ids

# What holds only for agents that are shown what the family itself shows
OF_THE_IGNORANT = {HasOptimum, HasRelaxation, HasOdometry, HasSize, UsesWorkers, NamesTasks}


def capabilities_of(distribution):
    return {capability for capability in MEMBERS if isinstance(distribution, capability)}


class Bare(TaskDistribution):
    """A family with what is asked of all, and nothing else: a bandit's."""

    id = "Bare-v0"
    horizon = 1

    def __init__(self):
        self.bandit = BernoulliBandit(2)
        self.observation_space = self.bandit.observation_space
        self.action_space = self.bandit.action_space

    def sample(self, n, split, seed):
        return self.bandit.sample(n, split, seed)

    def reset(self, tasks, rng):
        return self.bandit.reset(tasks, rng)

    def step(self, tasks, state, action, rng):
        return self.bandit.step(tasks, state, action, rng)


class WithOptimum(Bare):
    """The same, and one method more."""

    def optimum(self, episodes):
        return self.bandit.optimum(episodes)


class WithoutBounds(GaussianBandit):
    """A subclass that takes a capability back."""

    upper_bound = None


@pytest.mark.parametrize("id", playable_ids())
def test_a_revealed_family_can_do_what_the_family_can(id):
    family = metarl.make(id)
    if not has_tensor_steps(family):
        return
    told = reveal(family)
    assert capabilities_of(told) == capabilities_of(family) - OF_THE_IGNORANT
    # From Python 3.12 on, isinstance finds what lies there, not what __getattr__ makes up
    for capability in capabilities_of(told):
        inspect.getattr_static(told, MEMBERS[capability])
    assert draws_rows(told) == draws_rows(family)
    tasks = family.sample(3, "test", 0)
    bound = upper_bound_of(family, tasks, 2)
    assert (upper_bound_of(told, tasks, 2) is None) == (bound is None)
    if bound is not None:
        assert torch.equal(upper_bound_of(told, tasks, 2), bound)
    assert task_count_of(told, "test") == task_count_of(family, "test")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_of_a_revealed_family_can_do_the_same(copied):
    told = reveal(GridMaze(3))
    again = copied(told)
    tasks = told.sample(2, "test", 0)
    assert capabilities_of(again) == capabilities_of(told)
    assert torch.equal(again.upper_bound(tasks, 1), told.upper_bound(tasks, 1))
    assert again.upper_bound.__self__ is again.wrapped


@pytest.mark.parametrize(
    ("family", "wanted"),
    [
        (Bare(), set()),
        (WithOptimum(), {HasOptimum}),
        (WithoutBounds(2), set()),
        (GaussianBandit(2), {HasUpperBound}),
        (BernoulliBandit(2), {HasOptimum, HasUpperBound, HasRelaxation}),
        (Identity(3, 3), {HasOptimum, HasUpperBound}),
        (
            GridMaze(3),
            {HasUpperBound, HasOdometry, HasSize, Renderable, RendersPaths, CountsTasks},
        ),
        (
            metarl.make("GridNavi-v0"),
            {HasUpperBound, HasSize, RendersPaths, CountsTasks, ListsTasks},
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, TaskDistribution) else "",
)
def test_a_family_has_the_capabilities_whose_methods_it_has(family, wanted):
    assert capabilities_of(family) == wanted


def test_a_family_without_them_answers_none():
    family = Bare()
    tasks = family.sample(2, "test", 0)
    assert optimum_of(family, 2) is None
    assert upper_bound_of(family, tasks, 2) is None
    assert relaxation_of(family, 2) is None
    assert odometry_of(family) is None
    assert pictures_of(family, tasks, ()) is None
    assert picture_of_path(family, tasks[:1], (), 0) is None
    assert task_count_of(family, "test") is None
    assert not draws_rows(family)
    with pytest.raises(ValueError, match="has no list of the tasks of 'test'; sample some instead"):
        every_task(family, "test", 0)


def test_a_family_that_can_may_still_have_no_answer():
    assert isinstance(VisualMaze(turns=12), HasOdometry)
    assert odometry_of(VisualMaze(turns=12)) is None
    assert odometry_of(VisualMaze()) is not None
    bandit = BernoulliBandit(50)
    assert isinstance(bandit, HasOptimum)
    assert optimum_of(bandit, 500) is None
    with pytest.raises(ValueError, match="has no list"):
        every_task(metarl.make("AntDirection-0to360-h200-v0"), "test", 0)


def test_a_list_that_is_only_counted_is_drawn():
    class Counted(Bare):
        def task_count(self, split):
            return 7

    family = Counted()
    assert not isinstance(family, ListsTasks)
    assert every_task(family, "test", 3).fingerprint == family.sample(7, "test", 3).fingerprint


def test_a_users_optimum_is_what_scores_are_normalised_by():
    family = WithOptimum()
    budget = metarl.Episodes(5)
    played = metarl.evaluate(
        metarl.make_agent("random", family, budget), family, "test", 400, 0, budget
    )
    ceiling = ceiling_of(played, family)
    assert (ceiling.kind, ceiling.value) == ("optimum", BernoulliBandit(2).optimum(5))
    random = played.scores("total")
    best = random + ceiling.value - random.mean()
    normalised = normalised_score(best, random, ceiling)
    assert normalised.reference == "optimum"
    assert normalised.estimate.value == pytest.approx(1)
    assert yardstick(family, 5).kind == "optimum"


def test_scores_of_a_family_without_bounds_are_not_normalised():
    family = Bare()
    budget = metarl.Episodes(5)
    played = metarl.evaluate(
        metarl.make_agent("random", family, budget), family, "test", 40, 0, budget
    )
    assert ceiling_of(played, family) is None
    assert yardstick(family, 5) is None
