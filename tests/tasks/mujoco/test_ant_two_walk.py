"""The two-way walk.

Rewards by hand on Gymnasium's own motion, hidden goals, episodes that falls don't end, walks from
above.
"""

import numpy as np
import pytest
import torch

import metarl
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.mujoco.ant_two_walk import AntTwoWalk
from metarl.tasks.mujoco.family import MujocoState
from metarl.tasks.mujoco.goals import GoalTasks
from tests.tasks.mujoco.test_goals import played, step

RIGHT = [[5.0, 0.0]]
UP = [[0.0, 5.0]]


def tasks_of(goal):
    return GoalTasks(torch.tensor(goal, dtype=torch.float64))


@pytest.mark.parametrize(("goal", "name"), [(RIGHT, "x_velocity"), (UP, "y_velocity")])
def test_walking_is_paid_by_velocity_along_the_goals_axis(goal, name):
    family = AntTwoWalk()
    for row in played("Ant-v5", include_cfrc_ext_in_observation=False):
        # Gymnasium measures the body where MuJoCo last computed it, one stage of the integration
        # before the step's end
        transition = step(family, tasks_of(goal), row)
        axis = 0 if goal is RIGHT else 1
        moved = float(transition.state.position[0, axis]) - row[0][2][axis]
        assert float(transition.reward) == pytest.approx(moved / 0.05, abs=1e-9)
        assert abs(float(transition.reward) - row[3][name]) < 1.0
        assert np.abs(transition.observation[0].numpy() - row[2]).max() < 1e-8
        assert not bool(transition.terminated)


def test_a_thrown_ant_is_paid_what_its_way_is_worth():
    family = AntTwoWalk()
    tasks = tasks_of(RIGHT + UP + RIGHT + UP)
    position = torch.from_numpy(np.tile(family.models.base.qpos0, (4, 1)))
    velocity = torch.zeros(4, 14, dtype=torch.float64)
    velocity[:2, 0] = 2.0
    velocity[2:, 1] = -1.0
    state = MujocoState(position, velocity, position[:, :2])
    transition = family.step(tasks, state, torch.zeros(4, 8), torch_generator(0))
    assert np.allclose(transition.reward, [2.0, 0.0, 0.0, -1.0], atol=0.05)


def test_returns_add_up_to_metres():
    family = AntTwoWalk()
    rng = torch_generator(0)
    tasks = family.sample(6, "train", 0)
    state, _ = family.reset(tasks, rng)
    start = state.torso
    total = torch.zeros(6, dtype=torch.float64)
    for _ in range(100):
        transition = family.step(tasks, state, torch.rand(6, 8, generator=rng) * 2 - 1, rng)
        state = transition.state
        total = total + transition.reward
    assert torch.allclose(total * 0.05, ((state.torso - start) * tasks.goal / 5).sum(1))


def test_distance_is_the_released_codes_reward():
    family = AntTwoWalk(reward="distance", shows_place=True)
    tasks = tasks_of(RIGHT + UP + RIGHT)
    position = torch.from_numpy(np.tile(family.models.base.qpos0, (3, 1)))
    position[:, :2] = torch.tensor([[1.0, 0.0], [1.0, 0.0], [5.0, 0.0]])
    state = MujocoState(position, torch.zeros(3, 14, dtype=torch.float64), position[:, :2])
    transition = family.step(tasks, state, torch.zeros(3, 8), torch_generator(0))
    assert np.allclose(transition.reward[:2], [-2.0 / 3000, -(26**0.25) / 3000], atol=1e-6)
    assert -0.1 / 3000 < float(transition.reward[2]) <= 0
    assert torch.equal(transition.observation[:, :2], transition.state.torso)
    assert family.upper_bound(tasks, 2).tolist() == [0.0] * 3
    assert AntTwoWalk().upper_bound(tasks, 2) is None


def test_two_tasks_and_no_sign_of_which():
    family = metarl.make("AntTwoWalk-v0")
    tasks = family.sample(400, "test", 0)
    assert family.finite
    assert {tuple(goal) for goal in tasks.goal.tolist()} == {(5.0, 0.0), (0.0, 5.0)}
    assert 150 < int((tasks.goal[:, 0] > 0).sum()) < 250
    assert family.observation_space.shape == (27,)
    assert metarl.make("AntTwoWalk-v0", shows_place=True).observation_space.shape == (29,)
    rng = torch_generator(0)
    state = family.reset(tasks_of(RIGHT + UP), rng)[0]
    alike = MujocoState(*(part[:1].expand(2, -1) for part in state))
    transition = family.step(tasks_of(RIGHT + UP), alike, torch.ones(2, 8), rng)
    assert torch.equal(transition.observation[0], transition.observation[1])
    assert transition.reward[0] != transition.reward[1]


def test_a_fall_ends_nothing_the_horizon_does():
    family = AntTwoWalk(horizon=3)
    tasks = tasks_of(RIGHT)
    state, _ = family.reset(tasks, torch_generator(0))
    lying = state._replace(position=state.position.clone())
    lying.position[:, 2] = 0.15
    lying.position[:, 3:7] = torch.tensor([0.0, 1.0, 0.0, 0.0])
    assert not bool(family.step(tasks, lying, torch.zeros(1, 8), torch_generator(0)).terminated)
    env = MetaEpisodeEnv(family, Episodes(1, after=1), 1, torch_generator(0))
    env.reset(lambda rows, counts: tasks[rows])
    ends = [env.step(torch.zeros(1, 8))[1] for _ in range(6)]
    assert [bool(each.truncated) for each in ends] == [False, False, True] * 2
    assert not any(bool(each.terminated) for each in ends)
    assert AntTwoWalk().horizon == 1000


@pytest.mark.parametrize(("goal", "axis"), [(RIGHT, 1), (UP, 0)])
def test_walks_are_drawn_from_above(goal, axis):
    family = AntTwoWalk()
    state, _ = family.reset(tasks_of(goal), torch_generator(0))
    along = MujocoState(*(part.expand(3, -1).clone() for part in state))
    picture = family.render_path(tasks_of(goal), along, 2).numpy().astype(int)
    green = np.argwhere((picture[..., 1] > picture[..., 0] + 100) & (picture[..., 1] > 140)).mean(0)
    black = np.argwhere((picture < 60).all(-1)).mean(0)
    towards = (green - black)[axis] * (1 if axis == 1 else -1)  # rows grow downwards
    assert towards > 80
    assert abs((green - black)[1 - axis]) < 15
    assert family.render(tasks_of(goal), state).shape == (1, 150, 200, 3)


def test_an_unknown_reward_gets_a_sentence():
    with pytest.raises(ValueError, match="there is no reward 'money'; choose walking or distance"):
        metarl.make("AntTwoWalk-v0", reward="money")
    with pytest.raises(ValueError, match="horizon must be at least 1, not 0"):
        AntTwoWalk(horizon=0)
