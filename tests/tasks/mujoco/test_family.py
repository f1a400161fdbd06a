"""What families of MuJoCo tasks share.

Pure steps, types, ends, and the way through MetaEpisodeEnv and `reveal`.
"""

import copy

import numpy as np
import pytest
import torch

import metarl
from metarl.checks.playing import actions_for
from metarl.core.budget import Episodes
from metarl.core.reveal import reveal
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.mujoco.family import MujocoState
from metarl.tasks.mujoco.physics import PhysicsTasks, RandomisedPhysics, hopper_physics
from metarl.tasks.mujoco.robots import HALF_CHEETAH


@pytest.mark.parametrize("horizon", [0, -3])
def test_a_horizon_below_one_is_refused(horizon):
    for id in (
        "HalfCheetahPhysics-v0",
        "HalfCheetahDirection-2way-h200-v0",
        "AntGoal-radius3-h200-v0",
    ):
        with pytest.raises(ValueError, match=rf"horizon must be at least 1, not {horizon}"):
            metarl.make(id, horizon=horizon)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_observations_and_rewards_have_the_tasks_type_and_states_stay_exact(dtype):
    family = metarl.make("HalfCheetahVelocity-0to3-h200-v0")
    tasks = family.sample(3, "train", 0).to("cpu", dtype)
    state, observation = family.reset(tasks, torch_generator(0))
    transition = family.step(tasks, state, torch.zeros(3, 6), torch_generator(0))
    assert observation.dtype == transition.observation.dtype == transition.reward.dtype == dtype
    assert {part.dtype for part in transition.state} == {torch.float64}


def test_a_breakdown_ends_the_episode_without_motion(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log file
    family = metarl.make("HalfCheetahPhysics-v0")
    factors = torch.ones(2, dtype=torch.float64)
    extreme = torch.tensor([1.0, 1e6], dtype=torch.float64)
    tasks = PhysicsTasks(1 / extreme, 1 / extreme, factors, factors, extreme)
    state, _ = family.reset(tasks, torch_generator(0))
    action = torch.full((2, 6), 0.5, dtype=torch.float64)
    for _ in range(20):
        before = state
        transition = family.step(tasks, state, action, torch_generator(0))
        state = transition.state
        if bool(transition.terminated.any()):
            break
    assert transition.terminated.tolist() == [False, True]
    assert torch.equal(state.position[1], before.position[1])
    assert torch.equal(state.velocity[1], before.velocity[1])
    assert float(transition.reward[1]) == pytest.approx(-HALF_CHEETAH.control_cost * 6 * 0.25)


def test_an_unhealthy_hopper_ends_its_episode_and_the_next_one_starts_standing():
    family = hopper_physics(horizon=100)
    env = MetaEpisodeEnv(family, Episodes(2), 8, torch_generator(0))
    tasks = family.sample(8, "train", 0)
    env.reset(lambda rows, counts: tasks[rows])
    ended = 0
    for action in actions_for(family, 150, 8, 0):
        step, outcome = env.step(action)
        fell = outcome.terminated
        ended += int(fell.sum())
        unhealthy = (outcome.final_observation[:, 0] <= 0.7) | (
            outcome.final_observation[:, 1].abs() >= 0.2
        )
        assert torch.equal(fell & unhealthy, fell)
        assert ((step.observation[fell, 0] - 1.25).abs() <= 0.0051).all()
    assert ended > 8


@pytest.mark.parametrize(
    ("id", "size"),
    [
        ("HalfCheetahPhysics-v0", 17 + 5),
        ("AntGoal-radius3-h200-v0", 29 + 2),
        ("AntDirection-2way-h200-v0", 27 + 2),
    ],
)
def test_tasks_can_be_revealed(id, size):
    family = metarl.make(id)
    told = reveal(family)
    tasks = told.sample(4, "test", 0)
    state, observation = told.reset(tasks, torch_generator(0))
    assert observation.shape == (4, size) == (4, *told.observation_space.shape)
    action = actions_for(family, 1, 4, 0)[0]
    transition = told.step(tasks, state, action, torch_generator(0))
    plain = family.step(tasks, state, action, torch_generator(0))
    assert torch.equal(transition.reward, plain.reward)
    assert torch.equal(
        told.observation_of(transition.observation), plain.observation.to(torch.float32)
    )
    shown = told.parameters_of(transition.observation)
    assert all(
        torch.equal(value, getattr(tasks, name).to(torch.float32)) for name, value in shown.items()
    )


def test_rows_with_generators_of_their_own_play_as_alone():
    family = metarl.make("HalfCheetahPhysics-v0")
    tasks = family.sample(3, "train", 0)
    actions = actions_for(family, 5, 3, 0)

    def rewards(rows):
        env = MetaEpisodeEnv(family, Episodes(1), len(rows), [torch_generator(i) for i in rows])
        env.reset(lambda row, count: tasks[rows][row])
        return torch.stack([env.step(action[rows])[1].reward for action in actions])

    assert torch.equal(rewards([0, 1, 2])[:, 1:2], rewards([1]))


def test_copies_play_alike():
    family = metarl.make("HalfCheetahPhysics-v0")
    tasks = family.sample(2, "train", 0)
    state, _ = family.reset(tasks, torch_generator(0))
    copied = copy.deepcopy(family)
    assert isinstance(copied, RandomisedPhysics)
    action = actions_for(family, 1, 2, 0)[0]
    assert torch.equal(
        family.step(tasks, state, action, torch_generator(0)).observation,
        copied.step(tasks, state, action, torch_generator(0)).observation,
    )


def test_a_state_is_positions_velocities_and_where_the_torso_is():
    ant = metarl.make("AntPhysics-v0")
    state, observation = ant.reset(ant.sample(2, "train", 0), torch_generator(0))
    assert isinstance(state, MujocoState)
    assert torch.equal(state.torso, state.position[:, :2])
    assert torch.equal(observation, torch.cat([state.position[:, 2:], state.velocity], 1))
    assert np.isclose(ant.step_seconds, 0.05)
