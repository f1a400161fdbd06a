"""PointNavigation: moves, rewards, ends and bound, worked out by hand."""

import math

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.control.point_navigation import PointNavigation, PointNavigationTasks

RNG = torch_generator(0)


def play(distribution, goal, actions):
    """Transitions of `actions` from the start."""
    task = PointNavigationTasks(torch.tensor([goal], dtype=torch.float64))
    state, _ = distribution.reset(task, RNG)
    found = []
    for action in actions:
        found.append(distribution.step(task, state, torch.tensor([action]), RNG))
        state = found[-1].state
    return found


@pytest.mark.parametrize("squared", [False, True])
def test_the_reward_is_the_distance_after_the_clipped_move(squared):
    first, second = play(PointNavigation(squared), (0.3, 0.4), [(0.0, 0.0), (5.0, -0.05)])
    assert first.reward.item() == pytest.approx(-0.25 if squared else -0.5)
    away = 0.2**2 + 0.45**2
    assert second.reward.item() == pytest.approx(-away if squared else -math.sqrt(away))
    assert second.observation[0].tolist() == pytest.approx([0.1, -0.05])


def test_an_episode_terminates_where_the_goal_is_near_along_both_axes():
    near, far = ((0.05 + gap, 0.1) for gap in (0.0099, 0.0101))
    for goal, ends in ((near, True), (far, False)):
        (transition,) = play(PointNavigation(), goal, [(0.05, 0.1)])
        assert transition.terminated.item() is transition.success.item() is ends


def test_goals_fill_the_square_and_observations_do_not_tell_them():
    distribution = PointNavigation()
    tasks = distribution.sample(10_000, "train", 0)
    assert tasks.goal.abs().max() <= 0.5
    assert tasks.goal.mean(0).abs().max() < 0.01
    assert tasks.goal.std(0).tolist() == pytest.approx([1 / math.sqrt(12)] * 2, abs=0.005)
    state, start = distribution.reset(tasks, RNG)
    assert not start.any()
    moved = distribution.step(tasks, state, torch.full((10_000, 2), 0.03), RNG).observation
    assert (moved == moved[0]).all()


def test_the_bound_is_the_straight_way():
    task = PointNavigationTasks(
        torch.tensor([[0.25, -0.1], [0.0, 0.0], [0.005, 0.105]], dtype=torch.float64)
    )
    first = math.hypot(0.15, 0.0) + 0.05  # then at the goal
    assert PointNavigation().upper_bound(task, 2).tolist() == pytest.approx(
        [-2 * first, 0, -2 * 0.005]
    )
    assert PointNavigation(horizon=1).upper_bound(task, 1).tolist() == pytest.approx(
        [-0.15, 0, -0.005]
    )
    assert PointNavigation(squared=True).upper_bound(task, 1)[0].item() == pytest.approx(
        -(0.15**2) - 0.05**2
    )


def test_a_path_is_drawn_to_the_goal():
    task = PointNavigationTasks(torch.tensor([[0.4, 0.4]], dtype=torch.float64))
    states = torch.tensor([[0.0, 0.0], [0.1, 0.1], [0.2, 0.2]])
    start, end = (
        PointNavigation().render_path(task, states, moment).numpy().astype(int) for moment in (0, 2)
    )
    rows, columns = ((start - end) != 0).any(-1).nonzero()
    assert rows.max() <= 90  # the walk goes up
    assert columns.min() >= 70  # and right


def test_bad_arguments_get_a_sentence():
    with pytest.raises(ValueError, match="horizon must be at least 1"):
        PointNavigation(horizon=0)
