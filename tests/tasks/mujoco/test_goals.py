"""Goal families.

Rewards as the papers write them, on Gymnasium's own motion; ids, ranges and splits; goals that stay
hidden.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.core.seeding import torch_generator
from metarl.tasks.mujoco.family import MujocoState
from metarl.tasks.mujoco.goals import (
    AntDirection,
    AntGoal,
    DirectionTasks,
    GoalTasks,
    HalfCheetahDirection,
    HalfCheetahVelocity,
    VelocityTasks,
)

GOAL_IDS = [
    id for id, where in metarl.core.registry.DISTRIBUTIONS.items() if "mujoco.goals" in where
]


def played(id, steps=60, **arguments):
    """(state, action, next observation, Gymnasium's info, terminated) of a random play of
    Gymnasium's environment, in float64.
    """
    env = gym.make(id, **arguments).unwrapped
    rng = np.random.default_rng(3)
    env.reset(seed=0)
    rows = []
    for _ in range(steps):
        torso = env.data.xpos[1, :2].copy() if id.startswith("Ant") else env.data.qpos[:1].copy()
        before = (env.data.qpos.copy(), env.data.qvel.copy(), torso)
        action = rng.uniform(-1, 1, env.model.nu)
        observation, _, terminated, _, info = env.step(action)
        rows.append((before, action, observation, info, terminated, env.data.xpos[1, :2].copy()))
    return rows


def step(family, tasks, row):
    state = MujocoState(*(torch.from_numpy(part)[None] for part in row[0]))
    return family.step(tasks, state, torch.from_numpy(row[1])[None], torch_generator(0))


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_half_cheetah_direction_rewards_velocity_along_it(direction):
    family = HalfCheetahDirection()
    for row in played("HalfCheetah-v5"):
        transition = step(family, DirectionTasks(numbers(direction)[:, None]), row)
        wanted = direction * row[3]["x_velocity"] - 0.05 * np.square(row[1]).sum()
        assert abs(float(transition.reward) - wanted) < 1e-8
        assert np.abs(transition.observation[0].numpy() - row[2]).max() < 1e-8
        assert not bool(transition.terminated)


@pytest.mark.parametrize("goal", [0.0, 1.7])
def test_half_cheetah_velocity_rewards_nearness_to_it(goal):
    for row in played("HalfCheetah-v5"):
        transition = step(HalfCheetahVelocity(), VelocityTasks(numbers(goal)), row)
        wanted = -abs(row[3]["x_velocity"] - goal) - 0.05 * np.square(row[1]).sum()
        assert abs(float(transition.reward) - wanted) < 1e-8
        assert float(transition.reward) <= 0


def test_ant_direction_rewards_velocity_along_it_and_each_step():
    family = AntDirection(all_around=True)
    angle = 2.2
    direction = numbers(np.cos(angle), np.sin(angle))[None]
    ends = 0
    for row in played("Ant-v5", 300, include_cfrc_ext_in_observation=False):
        transition = step(family, DirectionTasks(direction), row)
        info = row[3]
        along = np.cos(angle) * info["x_velocity"] + np.sin(angle) * info["y_velocity"]
        wanted = along + 1.0 - 0.5 * np.square(row[1]).sum() + info["reward_contact"]
        assert abs(float(transition.reward) - wanted) < 1e-8
        assert bool(transition.terminated) == row[4]
        ends += row[4]
    assert ends > 0


def test_ant_goal_rewards_nearness_to_it():
    goal = np.array([1.5, -0.7])
    family = AntGoal()
    for row in played(
        "Ant-v5",
        include_cfrc_ext_in_observation=False,
        exclude_current_positions_from_observation=False,
    ):
        transition = step(family, GoalTasks(torch.from_numpy(goal)[None]), row)
        wanted = (
            -np.abs(row[5] - goal).sum() - 0.1 * np.square(row[1]).sum() + row[3]["reward_contact"]
        )
        assert abs(float(transition.reward) - wanted) < 1e-8
        assert np.abs(transition.observation[0].numpy() - row[2]).max() < 1e-8
        assert not bool(transition.terminated)


@pytest.mark.parametrize("id", GOAL_IDS)
def test_an_id_names_what_it_makes(id):
    family = metarl.make(id)
    assert family.id == id
    assert f"-h{family.horizon}-" in id
    assert family.finite == ("2way" in id)


def test_other_arguments_name_another_family():
    assert HalfCheetahVelocity(0.5, 2.5, 100).id == "HalfCheetahVelocity-0.5to2.5-h100-v0"
    assert (
        metarl.make("HalfCheetahVelocity-0to2-h200-v0", high=1.0).id
        == "HalfCheetahVelocity-0to1-h200-v0"
    )
    assert AntGoal(2.0, 50).id == "AntGoal-radius2-h50-v0"
    assert HalfCheetahDirection(100).id == "HalfCheetahDirection-2way-h100-v0"


def test_goals_are_drawn_as_the_papers_say():
    velocity = HalfCheetahVelocity().sample(4000, "train", 0).velocity.numpy()
    assert np.allclose(
        np.quantile(velocity, [0, 0.25, 0.5, 0.75, 1]), [0, 0.75, 1.5, 2.25, 3], atol=0.08
    )
    assert metarl.make("HalfCheetahVelocity-0to2-h200-v0").sample(
        4000, "test", 0
    ).velocity.max() == pytest.approx(2.0, abs=0.01)
    goal = AntGoal().sample(4000, "train", 0).goal.numpy()
    distance = np.hypot(*goal.T)
    # Uniform in the disc
    assert np.allclose(
        np.quantile(distance**2, [0.25, 0.5, 0.75, 1]), [9 / 4, 9 / 2, 27 / 4, 9], atol=0.3
    )
    assert np.abs(goal.mean(0)).max() < 0.1
    two = AntDirection().sample(1000, "train", 0).direction.numpy()
    assert {tuple(row) for row in two} == {(1.0, 0.0), (-1.0, 0.0)}
    assert abs(two[:, 0].mean()) < 0.1
    anywhere = AntDirection(all_around=True).sample(1000, "train", 0).direction.numpy()
    assert np.allclose(np.hypot(*anywhere.T), 1.0)
    assert np.abs(anywhere.mean(0)).max() < 0.1
    cheetah = HalfCheetahDirection().sample(1000, "test", 0).direction.numpy()
    assert set(cheetah.flatten()) == {1.0, -1.0}


@pytest.mark.parametrize("id", GOAL_IDS)
def test_observations_do_not_depend_on_the_goal(id):
    family = metarl.make(id)
    tasks = family.sample(64, "train", 0)
    state, first = family.reset(tasks[[0] * 64], torch_generator(0))
    assert torch.equal(first, family.reset(tasks, torch_generator(0))[1])
    action = torch.zeros(64, *family.action_space.shape)
    alike = MujocoState(*(part[:1].expand(64, -1) for part in state))
    transition = family.step(tasks, alike, action, torch_generator(0))
    assert (transition.observation == transition.observation[0]).all()
    assert len(set(transition.reward.tolist())) == (2 if family.finite else 64)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: HalfCheetahVelocity(3.0, 0.0), "needs low <= high"),
        (lambda: HalfCheetahVelocity(0.0, float("inf")), "both finite"),
        (lambda: AntGoal(-1.0), "radius must be positive and finite, not -1"),
        (lambda: AntGoal(float("nan")), "radius must be positive and finite, not nan"),
        (lambda: metarl.make("AntDirection-2way-h200-v0", radius=3), "there is no argument radius"),
    ],
)
def test_bad_ranges_get_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize(
    "id",
    [
        "HalfCheetahVelocity-0to3-h200-v0",
        "HalfCheetahVelocity-0to2-h200-v0",
        "AntGoal-radius3-h200-v0",
    ],
)
def test_where_rewards_are_costs_nothing_is_the_bound(id):
    family = metarl.make(id, horizon=20)
    budget = metarl.Episodes(2)
    tasks = family.sample(16, "test", 0)
    assert family.upper_bound(tasks, 2).tolist() == [0.0] * 16
    played = metarl.evaluate(
        metarl.make_agent("random", family, budget), family, "test", 16, 0, budget
    )
    assert (played.scores() < 0).all()
