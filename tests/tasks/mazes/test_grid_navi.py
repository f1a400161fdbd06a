"""GridNavi: VariBAD's goals, moves, rewards and bound."""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.mazes.grid_navi import GridNavi, GridNaviTasks


def test_twenty_one_goals_none_next_to_the_start():
    goals = GridNavi().sample(5000, "train", 0).goal
    found = {tuple(goal) for goal in goals.tolist()}
    assert len(found) == 21
    assert not found & {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_moves_stay_on_the_grid_and_the_goal_pays_as_long_as_one_stays():
    distribution = GridNavi()
    rng = torch_generator(0)
    task = GridNaviTasks(torch.tensor([[2, 1]]))
    state, observation = distribution.reset(task, rng)
    assert observation.tolist() == [[0, 0]]
    places = []
    rewards = []
    # Down and left at the corner, up, right, right, stay, on beyond the border
    for action in (3, 4, 1, 2, 2, 0, 2, 2, 2):
        transition = distribution.step(task, state, torch.tensor([action]), rng)
        state = transition.state
        places.append(tuple(transition.observation[0].tolist()))
        rewards.append(round(float(transition.reward), 3))
        assert not transition.terminated.any()
        assert bool(transition.success) == (rewards[-1] > 0)
    assert places == [(0, 0), (0, 0), (0, 1), (1, 1), (2, 1), (2, 1), (3, 1), (4, 1), (4, 1)]
    assert rewards == [-0.1, -0.1, -0.1, -0.1, 1.0, 1.0, -0.1, -0.1, -0.1]


def test_the_known_goal_is_worth_11_071_an_episode():
    distribution = GridNavi()
    every = GridNaviTasks(distribution.goals)
    assert len(every) == 21
    assert distribution.upper_bound(every, 1).mean().item() == pytest.approx(11.0714, abs=1e-4)
    assert distribution.upper_bound(every, 4).mean().item() == pytest.approx(44.2857, abs=1e-4)


def test_bad_arguments_get_a_sentence():
    for arguments in ({"size": 2}, {"horizon": 0}):
        with pytest.raises(ValueError, match="at least"):
            GridNavi(**arguments)


def test_a_path_is_drawn_with_y_upwards():
    distribution = GridNavi(3)
    task = GridNaviTasks(torch.tensor([[2, 2]]))
    states = torch.tensor([[0, 0], [0, 1], [0, 2]])
    start, end = (
        distribution.render_path(task, states, moment).numpy().astype(int) for moment in (0, 2)
    )
    rows, columns = ((start - end) != 0).any(-1).nonzero()
    side = len(start)
    assert columns.max() < side / 3  # the walk stays in the left column
    assert rows.min() < side / 3  # and ends in the top row
