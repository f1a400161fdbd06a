"""Mountain car: Gymnasium's steps at the usual physics, and what each parameter does."""

import gymnasium
import numpy as np
import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.control.mountain_car import MountainCar, MountainCarTasks
from tests.tasks.gymnasium_steps import as_gymnasium, from_states, met_under_random_actions

USUAL = MountainCar(low=1, high=1, friction=0, reversals=False)
RISING = torch.tensor([0.5, 1.0, 2.0])
LEFT = 0
NONE = 1
RIGHT = 2
BOTTOM = -np.pi / 6


def tasks_with(n=1, **parameters):
    """n tasks of usual physics but for `parameters` (numbers or tensors [n])."""
    values = {"gravity": 1.0, "force": 1.0, "friction": 0.0, **parameters}
    return MountainCarTasks(
        **{
            name: torch.as_tensor(value, dtype=torch.float64).expand(n).clone()
            for name, value in values.items()
        }
    )


def step(tasks, state, action):
    state = torch.as_tensor(state, dtype=torch.float64).expand(len(tasks), 2)
    return USUAL.step(
        tasks, state, torch.as_tensor(action).expand(len(tasks)), torch_generator(0, "noise")
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_usual_physics_steps_as_gymnasium(dtype, tolerance):
    steps = met_under_random_actions("MountainCar-v0", 1000)
    transition = as_gymnasium(USUAL, steps, dtype)
    assert (transition.state.double() - steps.following).abs().max().item() <= tolerance
    assert (transition.observation.double() - steps.observation).abs().max().item() <= max(
        tolerance, 1e-6
    )
    assert torch.equal(transition.reward.double(), steps.reward)
    assert torch.equal(transition.terminated, steps.terminated)


def test_goal_wall_and_speed_limit_are_gymnasiums():
    states = np.random.default_rng(0).uniform([-1.2, -0.07], [0.6, 0.07], (1000, 2))
    steps = from_states("MountainCar-v0", states)
    transition = as_gymnasium(USUAL, steps, torch.float64)
    assert (transition.state - steps.following).abs().max().item() <= 1e-9
    assert torch.equal(transition.terminated, steps.terminated)
    assert torch.equal(transition.success, steps.terminated)
    assert torch.equal(transition.reward, steps.reward)
    assert int(steps.terminated.sum()) > 20
    # Stopped by the wall
    assert int((steps.following == torch.tensor([-1.2, 0.0], dtype=torch.float64)).all(1).sum()) > 5
    assert int((steps.following[:, 0] == 0.6).sum()) > 10
    assert int((steps.following[:, 1].abs() == 0.07).sum()) > 10
    # Beyond the goal, going back
    assert int(((steps.following[:, 0] >= 0.5) & ~steps.terminated).sum()) > 10


def test_spaces_and_start_are_gymnasiums():
    env = gymnasium.make("MountainCar-v0")
    assert MountainCar().observation_space == env.observation_space
    assert MountainCar().action_space == env.action_space
    state, observation = MountainCar().reset(tasks_with(10_000), torch_generator(0, "noise"))
    assert torch.equal(state, observation)
    position, velocity = state.T
    assert bool((velocity == 0).all())
    assert -0.6 <= float(position.min()) < float(position.max()) <= -0.4
    assert position.mean().item() == pytest.approx(-0.5, abs=5 * 0.2 / (12 * 10_000) ** 0.5)
    assert position.var().item() == pytest.approx(0.04 / 12, rel=0.06)


def test_gravity_pulls_back_faster_when_stronger_and_not_at_the_bottom():
    speeds = step(tasks_with(3, gravity=RISING), (0.0, 0.0), NONE).state[:, 1]
    assert 0 > speeds[0] > speeds[1] > speeds[2]
    assert (
        step(tasks_with(3, gravity=RISING), (BOTTOM, 0.0), NONE).state[:, 1].abs().max().item()
        < 1e-12
    )


def test_a_stronger_engine_drives_faster():
    speeds = step(tasks_with(3, force=RISING), (BOTTOM, 0.0), RIGHT).state[:, 1]
    assert torch.allclose(speeds, 0.001 * RISING.to(torch.float64), atol=1e-12)


def test_friction_slows_and_never_turns_around():
    speeds = step(
        tasks_with(3, friction=torch.tensor([0.0, 1.0, 1000.0])), (BOTTOM, 0.05), NONE
    ).state[:, 1]
    assert speeds[0].item() == pytest.approx(0.05)
    assert speeds[1].item() == pytest.approx(0.05 / 1.005)
    assert 0 < speeds[2] < speeds[1]


def test_a_reversed_engine_is_the_opposite_action():
    state = (-0.3, 0.02)
    assert torch.equal(
        step(tasks_with(force=-1.3), state, LEFT).state,
        step(tasks_with(force=1.3), state, RIGHT).state,
    )
    assert torch.equal(
        step(tasks_with(force=-1.3), state, NONE).state,
        step(tasks_with(force=1.3), state, NONE).state,
    )


def test_rocking_along_the_motion_reaches_the_goal_and_an_engine_that_is_strong_drives_straight_up():
    weak = play(tasks_with(100), lambda state: torch.where(state[:, 1] >= 0, RIGHT, LEFT))
    strong = play(tasks_with(100, force=4.0), right)
    assert -130 < weak.mean().item() < -100
    assert -60 < strong.mean().item() < -20
    assert bool((play(tasks_with(100), right) == -200).all())


def right(state):
    return torch.full((len(state),), RIGHT)


def play(tasks, act, distribution=USUAL):
    """Returns [n] of one episode."""
    state, _ = distribution.reset(tasks, torch_generator(0, "noise"))
    playing = torch.ones(len(tasks), dtype=torch.bool)
    total = torch.zeros(len(tasks), dtype=torch.float64)
    for _ in range(distribution.horizon):
        state, _, reward, terminated, success, _ = distribution.step(
            tasks, state, act(state), torch_generator(0, "noise")
        )
        assert torch.equal(success, terminated)
        total += reward * playing
        playing &= ~terminated
    return total


def test_the_bound_is_the_time_to_the_goal_when_everything_pushes_there():
    car = tasks_with(
        3, gravity=torch.tensor([1.0, 1e-9, 100.0]), force=torch.tensor([-1.0, 1e-9, 1.0])
    )
    # Pushed by 0.0035 a step: at full speed after 20 steps, 0.0035 * 20 * 21 / 2 = 0.735 from the
    # start; 3 more are 0.945, 2 more 0.875.
    assert MountainCar().upper_bound(car[:1], 1).tolist() == [-23.0]
    # never; and 0.9 / 0.07 = 12.9 steps at the speed limit
    assert MountainCar().upper_bound(car, 2).tolist() == [-46.0, -400.0, -26.0]
    assert MountainCar(horizon=10).upper_bound(car, 1).tolist() == [-10.0, -10.0, -10.0]


@pytest.mark.parametrize("split", ["train", "extrapolate"])
def test_nobody_beats_the_bound(split):
    distribution = MountainCar()
    tasks = distribution.sample(2000, split, 0)
    towards = torch.where(tasks.force > 0, 1, -1)
    best = play(
        tasks, lambda state: 1 + towards * torch.where(state[:, 1] >= 0, 1, -1), distribution
    )
    assert bool((best <= distribution.upper_bound(tasks, 1)).all())
    assert bool((best > -200).float().mean() > 0.3)
