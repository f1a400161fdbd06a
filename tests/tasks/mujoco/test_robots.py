"""Robots are Gymnasium's.

Starts, observations, rewards and ends of version 5, one step from the same state.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.core.seeding import torch_generator
from metarl.tasks.mujoco.family import MujocoState
from metarl.tasks.mujoco.physics import PhysicsTasks
from metarl.tasks.mujoco.robots import ANT, ANT_WITHOUT_COSTS, HALF_CHEETAH, HOPPER

PAIRS = {
    "HalfCheetahPhysics-v0": ("HalfCheetah-v5", {}),
    "HopperPhysics-v0": ("Hopper-v5", {}),
    "Walker2dPhysics-v0": ("Walker2d-v5", {}),
    "AntPhysics-v0": ("Ant-v5", {"include_cfrc_ext_in_observation": False}),
}
STEPS = 1000


def default_tasks(n):
    return PhysicsTasks(*(torch.ones(n, dtype=torch.float64) for _ in range(5)))


@pytest.mark.parametrize("id", PAIRS)
def test_one_step_from_each_of_a_thousand_states_equals_gymnasiums(id):
    theirs, arguments = PAIRS[id]
    env = gym.make(theirs, **arguments).unwrapped
    rng = np.random.default_rng(0)
    family = metarl.make(id)
    env.reset(seed=0)
    positions = []
    velocities = []
    torsos = []
    actions = []
    answers = []
    for t in range(STEPS):
        positions.append(env.data.qpos.copy())
        velocities.append(env.data.qvel.copy())
        torsos.append(
            env.data.xpos[1, :2].copy() if family.robot is ANT else env.data.qpos[:1].copy()
        )
        actions.append(rng.uniform(-1, 1, env.model.nu))
        answers.append(env.step(actions[-1])[:3])
        if answers[-1][2] or t % 100 == 99:
            env.reset(seed=t)
    state = MujocoState(
        *(torch.from_numpy(np.stack(part)) for part in (positions, velocities, torsos))
    )
    transition = family.step(
        default_tasks(STEPS), state, torch.from_numpy(np.stack(actions)), torch_generator(0)
    )
    observation, reward, terminated = (
        np.stack([answer[i] for answer in answers]) for i in range(3)
    )
    assert transition.observation.dtype == torch.float64
    assert np.abs(transition.observation.numpy() - observation).max() < 1e-8
    assert np.abs(transition.reward.numpy() - reward).max() < 1e-8
    assert np.array_equal(transition.terminated.numpy(), terminated)
    assert terminated.any() == (family.robot is not HALF_CHEETAH)


@pytest.mark.parametrize("id", PAIRS)
def test_starts_are_spread_as_gymnasiums(id):
    theirs, arguments = PAIRS[id]
    env = gym.make(theirs, **arguments).unwrapped
    family = metarl.make(id)
    state, observation = family.reset(default_tasks(2000), torch_generator(0))
    theirs_seen = np.stack([env.reset(seed=seed)[0] for seed in range(2000)])
    assert observation.shape[1:] == env.observation_space.shape
    spread = theirs_seen.std(0)
    assert np.abs(observation.numpy().mean(0) - theirs_seen.mean(0)).max() < 0.15 * spread.max()
    assert np.allclose(observation.numpy().std(0), spread, rtol=0.1)
    reach = np.abs(theirs_seen - theirs_seen.mean(0)).max(0)  # bounded for uniform noise
    assert np.allclose(
        np.abs(observation.numpy() - observation.numpy().mean(0)).max(0), reach, rtol=0.3
    )
    assert state.position.shape == (2000, env.model.nq)


@pytest.mark.parametrize("id", PAIRS)
def test_actions_are_gymnasiums(id):
    theirs, arguments = PAIRS[id]
    assert metarl.make(id).action_space == gym.make(theirs, **arguments).action_space


def test_health_is_lost_at_each_edge():
    position = np.zeros((6, 6))
    velocity = np.zeros((6, 6))
    position[:, 1] = 1.25
    position[1, 1] = 0.69
    position[2, 2] = 0.21
    position[3, 4] = 101.0
    velocity[4, 5] = -101.0
    velocity[5, 0] = np.nan
    assert HOPPER.healthy(position, velocity).tolist() == [True, False, False, False, False, False]
    assert ANT_WITHOUT_COSTS.healthy(np.zeros((2, 15)), np.zeros((2, 14))).all(), (
        "an ant may lie where nothing is paid for standing"
    )
    assert HALF_CHEETAH.healthy(np.full((2, 9), 9.0), np.zeros((2, 9))).all()
