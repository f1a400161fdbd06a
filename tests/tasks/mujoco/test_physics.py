"""Randomised physics.

Ranges of the factors in each split, that they matter, and ranges that are refused.
"""

import numpy as np
import pytest
import torch

import metarl
from metarl.checks.playing import actions_for
from metarl.core.seeding import torch_generator
from metarl.tasks.mujoco.models import FACTORS
from metarl.tasks.mujoco.physics import PhysicsTasks, half_cheetah_physics

IDS = ("HalfCheetahPhysics-v0", "HopperPhysics-v0", "Walker2dPhysics-v0", "AntPhysics-v0")


def table(tasks):
    return torch.stack([getattr(tasks, name) for name in FACTORS], 1).numpy()


def test_factors_are_log_uniform_and_independent():
    logs = np.log(table(half_cheetah_physics(0.5, 4.0).sample(4000, "train", 0)))
    low = np.log(0.5)
    high = np.log(4.0)
    assert low <= logs.min() < low + 0.01
    assert high - 0.01 < logs.max() <= high
    for quantile in (0.25, 0.5, 0.75):
        assert np.allclose(
            np.quantile(logs, quantile, axis=0), low + quantile * (high - low), atol=0.08
        )
    assert np.abs(np.corrcoef(logs.T) - np.eye(5)).max() < 0.07


def test_extrapolation_lies_outside_in_every_factor_and_not_far():
    family = half_cheetah_physics(0.5, 2.0)
    factors = table(family.sample(2000, "extrapolate", 0))
    above = factors > 2.0
    assert (above | (factors < 0.5)).all()
    assert (factors.min(), factors.max()) == (
        pytest.approx(0.5 / 2**0.5, rel=1e-2),
        pytest.approx(2.0 * 2**0.5, rel=1e-2),
    )
    assert np.allclose(above.mean(0), 0.5, atol=0.05)
    inside = table(family.sample(2000, "test", 0))
    assert (inside >= 0.5).all()
    assert (inside <= 2.0).all()


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("name", FACTORS)
def test_every_factor_changes_how_a_robot_moves(id, name):
    family = metarl.make(id)
    one = torch.ones(1, dtype=torch.float64)
    plain = PhysicsTasks(one, one, one, one, one)
    other = PhysicsTasks(**{each: one * (1.5 if each == name else 1.0) for each in FACTORS})
    states = [family.reset(plain, torch_generator(0))[0]] * 2
    for action in actions_for(family, 25, 1, 0):
        states = [
            family.step(tasks, state, action, torch_generator(0)).state
            for tasks, state in zip((plain, other), states, strict=True)
        ]
    assert (states[0].position - states[1].position).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("low", "high"), [(-0.5, 2.0), (0.0, 2.0), (2.0, 0.5), (0.5, float("inf")), (float("nan"), 2.0)]
)
@pytest.mark.parametrize("id", IDS)
def test_a_range_that_is_negative_or_inverted_is_refused(id, low, high):
    with pytest.raises(ValueError, match=rf"{id}: the factors' range needs 0 < low <= high"):
        metarl.make(id, low=low, high=high)


def test_a_range_that_mujoco_cannot_simulate_is_refused():
    with pytest.raises(
        ValueError,
        match=r"HalfCheetahPhysics-v0: MuJoCo can't simulate .*choose low and high nearer to 1",
    ):
        metarl.make("HalfCheetahPhysics-v0", low=1e-4, high=1e4)


def test_the_default_range_is_simulated_without_a_breakdown():
    for id in IDS:
        family = metarl.make(id)
        tasks = family.sample(12, "extrapolate", 0)
        state, _ = family.reset(tasks, torch_generator(0))
        for action in actions_for(family, 40, 12, 0):
            before = state
            transition = family.step(tasks, state, action.sign(), torch_generator(0))
            state = transition.state
            assert not (state.position == before.position).all(1).any()


def test_one_point_ranges_are_one_robot():
    family = half_cheetah_physics(1.0, 1.0)
    assert (table(family.sample(5, "train", 0)) == 1.0).all()
    assert (family.finite, family.splits) == (True, ("train", "test"))
