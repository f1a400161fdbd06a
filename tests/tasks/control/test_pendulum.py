"""Pendulum: Gymnasium's steps at the usual physics, Newton's at any other."""

import math

import gymnasium
import numpy as np
import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.control.pendulum import Pendulum, PendulumTasks
from tests.tasks.gymnasium_steps import as_gymnasium, from_states, met_under_random_actions

USUAL = Pendulum(low=1, high=1, friction=0, reversals=False)
RISING = torch.tensor([0.5, 1.0, 2.0])


def tasks_with(n=1, **parameters):
    """n tasks of usual physics but for `parameters` (numbers or tensors [n])."""
    values = {
        "gravity": 1.0,
        "mass": 1.0,
        "length": 1.0,
        "torque": 1.0,
        "friction": 0.0,
        **parameters,
    }
    return PendulumTasks(
        **{
            name: torch.as_tensor(value, dtype=torch.float64).expand(n).clone()
            for name, value in values.items()
        }
    )


def step(tasks, state, action):
    state = torch.as_tensor(state, dtype=torch.float64).expand(len(tasks), 2)
    action = torch.as_tensor(action, dtype=torch.float64).expand(len(tasks), 1)
    return USUAL.step(tasks, state, action, torch_generator(0, "noise"))


def difference(transition, steps):
    """Largest difference of states, angles compared on the circle."""
    off = transition.state.double() - steps.following
    off[:, 0] = torch.remainder(off[:, 0] + math.pi, 2 * math.pi) - math.pi
    return off.abs().max().item()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_usual_physics_steps_as_gymnasium(dtype, tolerance):
    steps = met_under_random_actions("Pendulum-v1", 1000)
    # Some ask for more than the motor gives
    assert float((steps.action.abs() > 2).double().mean()) > 0.2
    # Gymnasium counts turns, which float32 would round
    turned = torch.remainder(steps.state[:, 0] + math.pi, 2 * math.pi) - math.pi
    transition = as_gymnasium(
        USUAL, steps._replace(state=torch.stack([turned, steps.state[:, 1]], 1)), dtype
    )
    assert difference(transition, steps) <= tolerance
    assert (transition.observation.double() - steps.observation).abs().max().item() <= max(
        tolerance, 2e-6
    )
    assert torch.allclose(transition.reward.double(), steps.reward, atol=tolerance, rtol=tolerance)
    assert not transition.terminated.any()
    assert not transition.success.any()


def test_the_whole_state_space_steps_as_gymnasium():
    states = np.random.default_rng(0).uniform([-math.pi, -8], [math.pi, 8], (1000, 2))
    steps = from_states("Pendulum-v1", states)
    transition = as_gymnasium(USUAL, steps, torch.float64)
    assert difference(transition, steps) <= 1e-9
    assert torch.allclose(transition.reward, steps.reward, atol=1e-9, rtol=0)
    assert int((steps.following[:, 1].abs() == 8).sum()) > 20  # the speed limit is met


def test_spaces_and_start_are_gymnasiums():
    env = gymnasium.make("Pendulum-v1")
    assert Pendulum().observation_space == env.observation_space
    assert Pendulum().action_space == env.action_space
    state, observation = Pendulum().reset(tasks_with(10_000), torch_generator(0, "noise"))
    for column, most in zip(state.T, (math.pi, 1.0), strict=True):
        assert column.abs().max().item() <= most
        assert column.mean().item() == pytest.approx(0, abs=5 * most / (3 * 10_000) ** 0.5)
        assert column.var().item() == pytest.approx(most**2 / 3, rel=0.06)
    assert torch.allclose(
        observation, torch.stack([state[:, 0].cos(), state[:, 0].sin(), state[:, 1]], 1)
    )


def test_actions_beyond_the_bounds_are_clipped():
    for asked, given in ((5.0, 2.0), (-2.5, -2.0)):
        one = step(tasks_with(), (0.3, 0.4), asked)
        other = step(tasks_with(), (0.3, 0.4), given)
        assert torch.equal(one.state, other.state)
        assert torch.equal(one.reward, other.reward)


@pytest.mark.parametrize("angle", [4.0, -4.0, 3 * math.pi + 0.1, 25.0])
def test_an_angle_of_several_turns_costs_what_gymnasium_makes_of_it(angle):
    env = gymnasium.make("Pendulum-v1").unwrapped
    env.reset(seed=0)
    env.state = np.array([angle, 0.5])
    observation, reward, *_ = env.step(np.array([0.7], np.float32))
    usual = Pendulum(1, 1, 0, False).sample(1, "train", 0)
    mine = Pendulum().step(
        usual,
        torch.tensor([[angle, 0.5]], dtype=torch.float64),
        torch.tensor([[0.7]]),
        torch_generator(0),
    )
    assert mine.reward.item() == pytest.approx(float(reward), abs=1e-6)
    assert mine.observation[0].tolist() == pytest.approx(observation.tolist(), abs=1e-6)


def test_torques_add_up_whatever_the_physics():
    """Moment of inertia times angular acceleration is what gravity, motor and friction turn by."""
    tasks = Pendulum().sample(500, "train", 0)
    rng = torch_generator(1, "states")
    state = (2 * torch.rand((500, 2), generator=rng, dtype=torch.float64) - 1) * torch.tensor(
        [math.pi, 3.0]
    )
    action = 4 * torch.rand((500, 1), generator=rng, dtype=torch.float64) - 2
    after = Pendulum().step(tasks, state, action, rng).state[:, 1]
    slow = after.abs() < 8  # the others were stopped by the speed limit
    assert int(slow.sum()) > 400
    turned = tasks.mass * tasks.length**2 / 3 * (after - state[:, 1]) / 0.05
    gravity = 10 * tasks.gravity * tasks.mass * tasks.length / 2 * state[:, 0].sin()
    wanted = gravity + tasks.torque * action[:, 0] - 0.1 * tasks.friction * after
    assert torch.allclose(turned[slow], wanted[slow], atol=1e-9, rtol=1e-9)


def test_it_falls_faster_under_stronger_gravity_and_slower_when_longer():
    falls = step(tasks_with(3, gravity=RISING), (0.5, 0.0), 0.0).state[:, 1]
    assert 0 < falls[0] < falls[1] < falls[2]
    falls = step(tasks_with(3, length=RISING), (0.5, 0.0), 0.0).state[:, 1]
    assert falls[0] > falls[1] > falls[2] > 0
    falls = step(tasks_with(3, mass=RISING), (0.5, 0.0), 0.0).state[:, 1]
    assert falls[0] == falls[1] == falls[2]


def test_the_motor_turns_heavy_and_long_pendulums_less_and_strong_ones_more():
    for name, sign in (("mass", -1), ("length", -1), ("torque", 1)):
        speeds = step(tasks_with(3, **{name: RISING}), (0.0, 0.0), 1.0).state[:, 1]
        assert bool((speeds > 0).all()), name
        assert bool((sign * speeds.diff() > 0).all()), name


def test_friction_slows_and_never_turns_around():
    speeds = step(tasks_with(3, friction=torch.tensor([0.0, 1.0, 1000.0])), (0.0, 2.0), 0.0).state[
        :, 1
    ]
    assert speeds[0].item() == pytest.approx(2)
    assert speeds[0] > speeds[1] > speeds[2] > 0


def test_a_reversed_motor_is_the_opposite_action():
    one = step(tasks_with(torque=-1.3), (0.4, 0.2), 1.1)
    other = step(tasks_with(torque=1.3), (0.4, 0.2), -1.1)
    assert torch.equal(one.state, other.state)
    assert torch.equal(one.reward, other.reward)


def test_the_bound_of_a_strong_motor_is_what_the_speed_limit_leaves():
    """0.4 rad nearer a step.

    The angle is uniform at the start, whose speed costs 0.1 / 3 on average.
    """
    strong = tasks_with(torque=1000.0)
    left = [math.pi - 0.4 * t for t in range(10)]
    wanted = -sum(max(0, angle) ** 3 for angle in left) / (3 * math.pi) - 0.1 / 3
    assert Pendulum(horizon=200).upper_bound(strong, 1).item() == pytest.approx(wanted)
    assert Pendulum(horizon=1).upper_bound(strong, 1).item() == pytest.approx(
        -(math.pi**2) / 3 - 0.1 / 3
    )
    assert Pendulum().upper_bound(strong, 3).item() == pytest.approx(3 * wanted)
    weak = Pendulum().upper_bound(tasks_with(3, torque=RISING), 1)
    assert weak[0] < weak[1] < weak[2] < 0


@pytest.mark.parametrize("split", ["train", "extrapolate"])
def test_driving_upright_at_any_price_stays_below_the_bound(split):
    """Full torque towards upright, with later speeds and torques forgiven.

    Nobody is nearer to upright in the first steps.
    """
    distribution = Pendulum(horizon=8)
    tasks = distribution.sample(4000, split, 1)
    state, _ = distribution.reset(tasks, torch_generator(0, "noise"))
    score = torch.zeros(4000, dtype=torch.float64)
    for t in range(8):
        score -= state[:, 0] ** 2 + (0.1 * state[:, 1] ** 2 if t == 0 else 0)
        action = -2 * (tasks.torque * state[:, 0]).sign()[:, None]
        state = distribution.step(tasks, state, action, torch_generator(0, "noise")).state
    above = score - distribution.upper_bound(tasks, 1)
    assert above.mean().item() < 3.1 * above.std().item() / 4000**0.5
