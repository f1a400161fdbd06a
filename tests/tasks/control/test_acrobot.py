"""Acrobot: Gymnasium's steps at the usual physics, conserved energy at any other."""

import math
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.control.acrobot import Acrobot, AcrobotTasks
from tests.tasks.gymnasium_steps import as_gymnasium, from_states, met_under_random_actions

USUAL = Acrobot(low=1, high=1, friction=0, reversals=False)
RISING = torch.tensor([0.5, 1.0, 2.0])
RIGHT = 2
NONE = 1
LEFT = 0


def tasks_with(n=1, **parameters):
    """n tasks of usual physics but for `parameters` (numbers or tensors [n])."""
    names = ("gravity", "upper_mass", "lower_mass", "upper_length", "lower_length", "torque")
    values = {**dict.fromkeys(names, 1.0), "friction": 0.0, **parameters}
    return AcrobotTasks(
        **{
            name: torch.as_tensor(value, dtype=torch.float64).expand(n).clone()
            for name, value in values.items()
        }
    )


def step(tasks, state, action):
    state = torch.as_tensor(state, dtype=torch.float64).expand(len(tasks), 4)
    return USUAL.step(
        tasks, state, torch.as_tensor(action).expand(len(tasks)), torch_generator(0, "noise")
    )


def energy(tasks, state):
    """Kinetic and potential energy [n] in J, link by link.

    Each turns about its centre of mass, which moves in the plane.
    """
    upper, lower, upper_speed, lower_speed = state.unbind(1)
    centre = tasks.lower_length / 2
    spin = upper_speed + lower_speed
    angle = upper + lower
    across = tasks.upper_length * upper.cos() * upper_speed + centre * angle.cos() * spin
    up = tasks.upper_length * upper.sin() * upper_speed + centre * angle.sin() * spin
    turning = (
        tasks.upper_mass * tasks.upper_length**2 * upper_speed**2
        + tasks.lower_mass * tasks.lower_length**2 * spin**2
    )
    moving = tasks.upper_mass * (tasks.upper_length / 2 * upper_speed) ** 2 + tasks.lower_mass * (
        across**2 + up**2
    )
    height = -tasks.upper_mass * tasks.upper_length / 2 * upper.cos()
    height -= tasks.lower_mass * (tasks.upper_length * upper.cos() + centre * angle.cos())
    return (turning + moving) / 2 + 9.8 * tasks.gravity * height


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_usual_physics_steps_as_gymnasium(dtype, tolerance):
    steps = met_under_random_actions("Acrobot-v1", 1000)
    transition = as_gymnasium(USUAL, steps, dtype)
    assert torch.allclose(
        transition.state.double(), steps.following, atol=tolerance, rtol=tolerance
    )
    assert torch.allclose(
        transition.observation.double(),
        steps.observation,
        atol=max(tolerance, 1e-6),
        rtol=tolerance,
    )
    assert torch.equal(transition.reward.double(), steps.reward)
    assert torch.equal(transition.terminated, steps.terminated)


def test_ends_and_speed_limits_are_gymnasiums_everywhere():
    most = np.array([math.pi, math.pi, 4 * math.pi, 9 * math.pi])
    steps = from_states("Acrobot-v1", np.random.default_rng(0).uniform(-most, most, (1000, 4)))
    transition = as_gymnasium(USUAL, steps, torch.float64)
    assert torch.allclose(transition.state, steps.following, atol=1e-9, rtol=1e-9)
    assert torch.equal(transition.terminated, steps.terminated)
    assert torch.equal(transition.success, steps.terminated)
    assert torch.equal(transition.reward, steps.reward)
    assert 100 < int(steps.terminated.sum()) < 900
    for column, limit in ((2, 4 * math.pi), (3, 9 * math.pi)):
        assert int((steps.following[:, column].abs() >= limit - 1e-9).sum()) > 20


def test_spaces_and_start_are_gymnasiums():
    env = gymnasium.make("Acrobot-v1")
    assert Acrobot().observation_space == env.observation_space
    assert Acrobot().action_space == env.action_space
    state, observation = Acrobot().reset(tasks_with(10_000), torch_generator(0, "noise"))
    assert state.shape == (10_000, 4)
    assert state.abs().max().item() <= 0.1
    assert torch.allclose(
        state.mean(0), torch.zeros(4, dtype=torch.float64), atol=5 * 0.2 / (12 * 10_000) ** 0.5
    )
    assert torch.allclose(state.var(0), torch.full((4,), 0.04 / 12, dtype=torch.float64), rtol=0.06)
    wanted = [
        state[:, 0].cos(),
        state[:, 0].sin(),
        state[:, 1].cos(),
        state[:, 1].sin(),
        state[:, 2],
        state[:, 3],
    ]
    assert torch.equal(observation, torch.stack(wanted, 1))


def moving(n, seed):
    """States [n, 4] that swing slowly, for which one integration step of 0.2 s is accurate."""
    rng = torch_generator(seed, "states")
    return (2 * torch.rand((n, 4), generator=rng, dtype=torch.float64) - 1) * torch.tensor(
        [1.0, 1.0, 0.5, 0.5]
    )


@pytest.mark.parametrize("action", [LEFT, NONE, RIGHT])
def test_energy_changes_by_the_motors_work_whatever_the_physics(action):
    tasks = Acrobot(friction=0).sample(500, "extrapolate", 0)
    state = moving(500, 1)
    after = step(tasks, state, action).state
    work = tasks.torque * (action - 1) * (after[:, 1] - state[:, 1])
    gained = energy(tasks, after) - energy(tasks, state)
    scale = (
        9.8
        * tasks.gravity
        * (tasks.upper_mass + tasks.lower_mass)
        * (tasks.upper_length + tasks.lower_length)
    )
    assert ((gained - work).abs() / scale).max().item() < 0.02
    assert ((gained - work).abs() / scale).mean().item() < 0.001


def test_friction_takes_energy_by_the_speed_of_both_joints():
    """The loss is friction times the square of the speeds, which change about linearly in a step of
    0.2 s.
    """
    tasks = Acrobot(friction=0).sample(500, "train", 0)
    state = moving(500, 2)
    free = step(tasks, state, NONE).state
    slowed = step(
        replace(tasks, friction=torch.full((500,), 0.1, dtype=torch.float64)), state, NONE
    ).state
    lost = energy(tasks, free) - energy(tasks, slowed)
    first = state[:, 2:]
    last = free[:, 2:]
    squares = ((first**2 + first * last + last**2) / 3).sum(1)  # the mean over the step
    assert bool((lost > 0).all())
    assert (lost.sum() / (0.05 * 0.1 * 0.2 * squares).sum()).item() == pytest.approx(1, abs=0.05)


def test_gravity_pulls_back_faster_when_stronger():
    speeds = step(tasks_with(3, gravity=RISING), (0.3, 0.0, 0.0, 0.0), NONE).state[:, 2]
    assert 0 > speeds[0] > speeds[1] > speeds[2]


def test_the_motor_bends_heavy_and_long_links_less_and_strong_ones_more():
    hanging = (0.0, 0.0, 0.0, 0.0)
    for name, sign in (("upper_mass", -1), ("lower_mass", -1), ("lower_length", -1), ("torque", 1)):
        speeds = step(tasks_with(3, **{name: RISING}), hanging, RIGHT).state[:, 3]
        assert bool((speeds > 0).all()), name
        assert bool((sign * speeds.diff() > 0).all()), name


def test_the_upper_link_recoils_less_when_long():
    speeds = step(tasks_with(3, upper_length=RISING), (0.0, 0.0, 0.0, 0.0), RIGHT).state[:, 2]
    assert speeds[0] < speeds[1] < speeds[2] < 0


def test_friction_slows_both_joints():
    for column, state in ((2, (0.0, 0.0, 1.0, 0.0)), (3, (0.0, 0.0, 0.0, 1.0))):
        weightless = {"gravity": 1e-9}
        speeds = step(
            tasks_with(3, friction=torch.tensor([0.0, 1.0, 2.0]), **weightless), state, NONE
        ).state[:, column]
        assert speeds[0] > speeds[1] > speeds[2] > 0


def test_a_reversed_motor_is_the_opposite_action():
    state = (0.4, -0.2, 0.3, 0.9)
    assert torch.equal(
        step(tasks_with(torque=-1.3), state, LEFT).state,
        step(tasks_with(torque=1.3), state, RIGHT).state,
    )
    assert torch.equal(
        step(tasks_with(torque=-1.3), state, NONE).state,
        step(tasks_with(torque=1.3), state, NONE).state,
    )


def test_pumping_along_the_motion_reaches_the_goal_below_the_bound():
    tasks = tasks_with(100)
    state, _ = USUAL.reset(tasks, torch_generator(0, "noise"))
    playing = torch.ones(100, dtype=torch.bool)
    total = torch.zeros(100, dtype=torch.float64)
    for _ in range(USUAL.horizon):
        action = torch.where(state[:, 3] >= 0, RIGHT, LEFT)
        state, _, reward, terminated, success, _ = USUAL.step(
            tasks, state, action, torch_generator(0, "noise")
        )
        total += reward * playing
        assert torch.equal(success, terminated)
        assert torch.equal(reward, -(~terminated).to(torch.float64))
        playing &= ~terminated
    assert int(playing.sum()) < 10
    assert -150 < total.mean().item() < -50
    assert bool((total <= USUAL.upper_bound(tasks, 1)).all())
    assert USUAL.upper_bound(tasks, 4).tolist() == [0.0] * 100
