"""Cart-pole: Gymnasium's steps at the usual physics, Newton's at any other."""

import numpy as np
import pytest
import torch

import metarl
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import Transition
from metarl.tasks.control.cart_pole import CartPole, CartPoleTasks
from tests.tasks.gymnasium_steps import as_gymnasium, from_states, met_under_random_actions

USUAL = CartPole(low=1, high=1, friction=0, reversals=False)
MET = met_under_random_actions("CartPole-v1", 1000)


def tasks_with(n=1, **parameters):
    """n tasks of usual physics but for `parameters` (numbers or tensors [n])."""
    usual = {
        "gravity": 1.0,
        "cart_mass": 1.0,
        "pole_mass": 1.0,
        "length": 1.0,
        "force": 1.0,
        "friction": 0.0,
    }
    values = {**usual, **parameters}
    return CartPoleTasks(
        **{
            name: torch.as_tensor(value, dtype=torch.float64).expand(n).clone()
            for name, value in values.items()
        }
    )


def step(tasks, state, action) -> Transition:
    state = torch.as_tensor(state, dtype=torch.float64).expand(len(tasks), 4)
    return USUAL.step(
        tasks, state, torch.as_tensor(action).expand(len(tasks)), torch_generator(0, "noise")
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_usual_physics_steps_as_gymnasium(dtype, tolerance):
    transition = as_gymnasium(USUAL, MET, dtype)
    assert (transition.state.double() - MET.following).abs().max().item() <= tolerance
    assert (transition.observation.double() - MET.observation).abs().max().item() <= max(
        tolerance, 1e-6
    )
    assert torch.equal(transition.reward.double(), MET.reward)
    assert torch.equal(transition.terminated, MET.terminated)
    assert 20 < int(MET.terminated.sum()) < 100
    assert not transition.success.any()


def test_ends_are_gymnasiums_everywhere():
    rng = np.random.default_rng(0)
    steps = from_states("CartPole-v1", rng.uniform([-3, -3, -0.3, -3], [3, 3, 0.3, 3], (1000, 4)))
    transition = as_gymnasium(USUAL, steps, torch.float64)
    assert torch.equal(transition.terminated, steps.terminated)
    assert 200 < int(steps.terminated.sum()) < 800
    assert torch.equal(transition.reward, steps.reward)
    assert (transition.state - steps.following).abs().max().item() <= 1e-9


def test_spaces_and_start_are_gymnasiums():
    import gymnasium

    env = gymnasium.make("CartPole-v1")
    assert CartPole().observation_space == env.observation_space
    assert CartPole().action_space == env.action_space
    _, observation = CartPole().reset(tasks_with(10_000), torch_generator(0, "noise"))
    assert observation.abs().max().item() <= 0.05
    assert torch.allclose(
        observation.mean(0),
        torch.zeros(4, dtype=torch.float64),
        atol=5 * 0.1 / (12 * 10_000) ** 0.5,
    )
    assert torch.allclose(
        observation.var(0), torch.full((4,), 0.01 / 12, dtype=torch.float64), rtol=0.06
    )


def test_power_is_force_times_velocity_whatever_the_physics():
    """d/dt of kinetic and potential energy, with the accelerations that a step shows, is what
    pushes and friction feed in.
    """
    tasks = CartPole().sample(500, "extrapolate", 0)
    rng = torch_generator(1, "states")
    state = (2 * torch.rand((500, 4), generator=rng, dtype=torch.float64) - 1) * torch.tensor(
        [2.0, 3.0, 0.2, 3.0]
    )
    action = torch.randint(2, (500,), generator=rng)
    after = CartPole().step(tasks, state, action, rng).state
    _, velocity, angle, spin = state.unbind(1)
    acceleration, turn = ((after - state) / 0.02)[:, [1, 3]].unbind(1)
    cart = tasks.cart_mass
    pole = 0.1 * tasks.pole_mass
    half = 0.5 * tasks.length
    kinetic = (cart + pole) * velocity * acceleration + 4 / 3 * pole * half**2 * spin * turn
    kinetic += (
        pole
        * half
        * (angle.cos() * (acceleration * spin + velocity * turn) - angle.sin() * velocity * spin**2)
    )
    potential = -9.8 * tasks.gravity * pole * half * angle.sin() * spin
    fed = (10 * tasks.force * (2 * action - 1) - 2 * tasks.friction * velocity) * velocity
    assert torch.allclose(kinetic + potential, fed, atol=1e-9, rtol=1e-9)


def spin_after(state=(0.0, 0.0, 0.1, 0.0), action=1, **parameters):
    return step(tasks_with(3, **parameters), state, action).state[:, 3].tolist()


RISING = torch.tensor([0.5, 1.0, 2.0])


def test_the_pole_falls_faster_under_stronger_gravity_and_slower_when_longer():
    falls = [
        state - push
        for state, push in zip(spin_after(gravity=RISING), spin_after(gravity=1e-9), strict=True)
    ]
    assert 0 < falls[0] < falls[1] < falls[2]
    lengths = spin_after(length=RISING, force=1e-9)
    assert lengths[0] > lengths[1] > lengths[2] > 0


def test_pushes_move_heavy_carts_and_poles_less_and_strong_ones_more():
    upright = (0.0, 0.0, 0.0, 0.0)
    for name, sign in (("cart_mass", -1), ("pole_mass", -1), ("force", 1)):
        speeds = step(tasks_with(3, **{name: RISING}), upright, 1).state[:, 1]
        assert bool((speeds > 0).all()), name
        assert bool((sign * speeds.diff() > 0).all()), name


def test_a_heavier_pole_falls_faster_on_a_free_cart():
    spins = spin_after(pole_mass=RISING, force=1e-9)
    assert 0 < spins[0] < spins[1] < spins[2]  # it shoves the cart from under itself


def test_friction_slows_the_cart():
    speeds = step(
        tasks_with(3, friction=torch.tensor([0.0, 1.0, 2.0]), force=1e-9), (0.0, 1.0, 0.0, 0.0), 1
    ).state[:, 1]
    assert speeds[0].item() == pytest.approx(1)
    assert speeds[0] > speeds[1] > speeds[2] > 0.9


def test_a_reversed_push_is_the_other_action():
    state = (0.1, 0.2, 0.05, -0.3)
    assert torch.equal(
        step(tasks_with(force=-1.3), state, 0).state, step(tasks_with(force=1.3), state, 1).state
    )


def test_a_pole_that_stands_for_the_whole_horizon_scores_the_bound():
    distribution = CartPole(horizon=60)
    assert distribution.upper_bound(tasks_with(2), 3).tolist() == [180.0, 180.0]
    tasks = tasks_with(200)
    total = torch.zeros(200, dtype=torch.float64)
    state, _ = distribution.reset(tasks, torch_generator(0, "noise"))
    for _ in range(60):
        # Falls to the right: push to the right
        lean = state @ torch.tensor([0.02, 0.04, 1.0, 0.26], dtype=torch.float64)
        state, _, reward, terminated, _, _ = distribution.step(
            tasks, state, (lean > 0).long(), torch_generator(0, "noise")
        )
        assert not terminated.any()
        total += reward
    assert torch.equal(total, distribution.upper_bound(tasks, 1))


def test_the_bound_is_a_number_per_task_of_any_split():
    distribution = metarl.make("CartPole-v0", horizon=7)
    assert distribution.upper_bound(distribution.sample(3, "extrapolate", 0), 2).tolist() == [
        14.0,
        14.0,
        14.0,
    ]
