"""What tasks with drawn physics are like, in every classic-control family.

Inside the range, outside of it, or all alike.
"""

import itertools
from dataclasses import fields

import numpy as np
import pytest
import torch

import metarl
from metarl.checks.spaces import random_actions
from metarl.core.reveal import reveal
from metarl.core.seeding import numpy_generator, torch_generator
from metarl.tasks.control.physics_range import PhysicsRange, check_horizon

FAMILIES = ("Acrobot-v0", "CartPole-v0", "MountainCar-v0", "Pendulum-v0")
USUAL = {"low": 1.0, "high": 1.0, "friction": 0.0, "reversals": False}
WIDE = PhysicsRange(0.25, 2.0, 3.0, True)


def draw(split, n=4000, physics=WIDE):
    return physics.draw(n, 3, split, numpy_generator(0, split))


def scales_of(tasks):
    """Field -> the parameter's size [n], friction left out."""
    return {
        field.name: getattr(tasks, field.name).abs()
        for field in fields(tasks)
        if field.name != "friction"
    }


@pytest.mark.parametrize("split", ["train", "test"])
def test_ratios_inside_are_uniform_on_the_log_scale(split):
    drawn = draw(split)
    for scale in drawn.scales:
        place = scale.log2()  # from -2 to 1
        assert float(place.min()) >= -2
        assert float(place.max()) <= 1
        quarters = torch.histc(place, 4, -2, 1) / len(place)
        assert float((quarters - 0.25).abs().max()) < 5 * (0.25 * 0.75 / len(place)) ** 0.5
    friction = torch.histc(drawn.friction, 4, 0, 3) / 4000
    assert float(friction.sum()) == pytest.approx(1)
    assert float((friction - 0.25).abs().max()) < 5 * (0.25 * 0.75 / 4000) ** 0.5


def test_ratios_outside_lie_on_both_sides_a_quarter_of_the_range_wide():
    drawn = draw("extrapolate")
    for scale in drawn.scales:
        place = scale.log2()
        below = place[place < -2]
        above = place[place > 1]
        assert len(below) + len(above) == 4000
        assert abs(len(below) - 2000) < 5 * 1000**0.5
        assert float(below.min()) >= -2.75 - 1e-9
        assert float(above.max()) <= 1.75 + 1e-9
        assert float(below.mean()) == pytest.approx(-2.375, abs=5 * 0.75 / (12 * len(below)) ** 0.5)
        assert float(above.mean()) == pytest.approx(1.375, abs=5 * 0.75 / (12 * len(above)) ** 0.5)
    assert float(drawn.friction.min()) > 3
    assert float(drawn.friction.max()) <= 6
    assert float(drawn.friction.mean()) == pytest.approx(4.5, abs=5 * 3 / (12 * 4000) ** 0.5)


@pytest.mark.parametrize("split", ["train", "test", "extrapolate"])
def test_parameters_are_independent_and_half_of_the_actuators_reversed(split):
    drawn = draw(split)
    table = np.stack(
        [
            *(scale.log().numpy() for scale in drawn.scales),
            drawn.friction.numpy(),
            drawn.direction.numpy(),
        ]
    )
    assert np.abs(np.corrcoef(table) - np.eye(5)).max() < 5 / 4000**0.5
    assert set(drawn.direction.tolist()) == {-1.0, 1.0}
    assert abs(float(drawn.direction.mean())) < 5 / 4000**0.5
    assert set(draw(split, physics=PhysicsRange(0.25, 2.0, 3.0, False)).direction.tolist()) == {1.0}


def test_a_range_without_width_gives_one_value():
    drawn = draw("train", physics=PhysicsRange(1.7, 1.7, 0.0, False))
    assert all(scale.unique().tolist() == [1.7] for scale in drawn.scales)
    assert drawn.friction.unique().tolist() == [0.0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"low": -1.0}, "must be positive, not -1.0 and 2.0"),
        ({"low": 0.0}, "must be positive"),
        ({"low": -2.0, "high": -1.0}, "must be positive"),
        ({"low": 3.0}, "from low=3.0 to high=2.0 is upside down; give the smaller ratio as low"),
        ({"low": float("nan")}, "must be finite numbers, not nan"),
        ({"high": float("inf")}, "must be finite numbers"),
        ({"friction": float("nan")}, "must be finite numbers"),
        ({"friction": -0.5}, "friction can't be negative, not -0.5"),
        (
            {"low": 1e-300, "high": 1e300},
            (
                "ratios reach 1e-300 to 1e.300 .extrapolate included., where steps .* keep them"
                " between"
            ),
        ),
        ({"low": 0.001}, "can't be simulated any more; keep them between"),
        ({"high": 1000.0}, "can't be simulated any more; keep them between"),
        ({"friction": 1e6}, "friction=1e.06 can't be simulated; give at most"),
        ({"horizon": 0}, "horizon must be at least 1 step, not 0"),
        ({"horizon": -3}, "horizon must be at least 1"),
        ({"horizon": 1.5}, "horizon must be a whole number"),
        ({"reversals": 2}, "reversals must be true or false"),
        (
            {"mass": 2},
            "there is no argument mass; its arguments are low, high, friction, reversals, horizon",
        ),
    ],
)
@pytest.mark.parametrize("id", FAMILIES)
def test_bad_arguments_get_a_sentence(id, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        metarl.make(id, **{"low": 0.5, "high": 2.0, **changes})


def test_one_step_is_the_shortest_horizon():
    check_horizon(1)
    with pytest.raises(ValueError, match="at least 1 step, not 0"):
        check_horizon(0)


@pytest.mark.parametrize("id", FAMILIES)
def test_train_and_test_lie_inside_and_extrapolate_outside(id):
    distribution = metarl.make(id)
    physics = distribution.physics
    assert distribution.splits == ("train", "test", "extrapolate", "validation")
    assert not distribution.finite
    for split in ("train", "test"):
        tasks = distribution.sample(2000, split, 3)
        for name, scale in scales_of(tasks).items():
            assert bool(((scale >= physics.low) & (scale <= physics.high)).all()), name
        assert bool(((tasks.friction >= 0) & (tasks.friction <= physics.friction)).all())
    tasks = distribution.sample(2000, "extrapolate", 3)
    for name, scale in scales_of(tasks).items():
        below = scale < physics.low
        above = scale > physics.high
        assert bool((below | above).all()), name
        assert bool(below.any()), name
        assert bool(above.any()), name
    assert bool((tasks.friction > physics.friction).all())


@pytest.mark.parametrize("id", FAMILIES)
def test_only_the_actuator_is_reversed_and_only_in_half_of_the_tasks(id):
    signed = {
        "Acrobot-v0": "torque",
        "CartPole-v0": "force",
        "MountainCar-v0": "force",
        "Pendulum-v0": "torque",
    }[id]
    tasks = metarl.make(id).sample(2000, "train", 0)
    for field in fields(tasks):
        share = float((getattr(tasks, field.name) < 0).double().mean())
        assert share == (
            pytest.approx(0.5, abs=5 * 0.5 / 2000**0.5) if field.name == signed else 0
        ), field.name
    onward = metarl.make(id, reversals=False).sample(2000, "train", 0)
    assert torch.equal(getattr(onward, signed), getattr(tasks, signed).abs())


@pytest.mark.parametrize("id", FAMILIES)
def test_without_variation_there_is_one_usual_task_and_nothing_outside(id):
    distribution = metarl.make(id, **USUAL)
    assert distribution.finite
    assert distribution.splits == ("train", "test")
    tasks = distribution.sample(5, "test", 0)
    assert all(bool((scale == 1).all()) for scale in scales_of(tasks).values())
    assert bool((tasks.friction == 0).all())
    with pytest.raises(ValueError, match="no split 'extrapolate'; choose one of train, test"):
        distribution.sample(1, "extrapolate", 0)
    assert metarl.make(id, **{**USUAL, "friction": 1.0}).splits == (
        "train",
        "test",
        "extrapolate",
        "validation",
    )
    assert metarl.make(id, **{**USUAL, "reversals": True}).finite


@pytest.mark.parametrize("id", FAMILIES)
def test_config_builds_the_same_distribution_again(id):
    distribution = metarl.make(id, low=0.9, high=1.2, friction=0.3, reversals=False, horizon=17)
    config = {"low": 0.9, "high": 1.2, "friction": 0.3, "reversals": False, "horizon": 17}
    assert distribution.config() == config
    again = metarl.make(id, **config)
    for split in again.splits:
        assert again.sample(4, split, 0).fingerprint == distribution.sample(4, split, 0).fingerprint


@pytest.mark.parametrize("id", FAMILIES)
def test_revealed_parameters_are_about_one_in_size(id):
    told = reveal(metarl.make(id))
    tasks = told.sample(1000, "train", 0)
    _, observation = told.reset(tasks, torch_generator(0, "noise"))
    parameters = told.parameters_of(observation)
    assert list(parameters) == [field.name for field in fields(tasks)]
    for name, parameter in parameters.items():
        assert torch.equal(parameter, getattr(tasks, name).to(torch.float32))
        assert 0.2 < float(parameter.square().mean().sqrt()) < 2, name


@pytest.mark.parametrize("id", FAMILIES)
def test_a_step_reads_no_values(id):
    """On the meta device tensors have shapes only: a step that looked at a value would fail."""
    distribution = metarl.make(id)
    tasks = distribution.sample(3, "train", 0)
    state, _ = distribution.reset(tasks, torch_generator(0, "noise"))
    action = torch.zeros(
        (3, *distribution.action_space.shape),
        dtype=torch.float32 if distribution.action_space.shape else torch.int64,
    )
    transition = distribution.step(
        tasks.to("meta"), state.to("meta"), action.to("meta"), torch_generator(0, "noise")
    )
    assert transition.observation.shape == (3, *distribution.observation_space.shape)
    assert transition.terminated.dtype == transition.success.dtype == torch.bool


@pytest.mark.parametrize("id", FAMILIES)
@pytest.mark.parametrize("split", ["train", "extrapolate"])
def test_float32_steps_as_float64_does(id, split):
    distribution = metarl.make(id)
    exact = distribution.sample(1000, split, 5)
    rough = exact.to("cpu", torch.float32)
    state, _ = distribution.reset(exact, torch_generator(0, "noise"))
    choice = torch_generator(0, "actions")
    for _ in range(40):
        if distribution.action_space.shape:
            action = 4 * torch.rand((1000, 1), generator=choice) - 2
        else:
            action = torch.randint(int(distribution.action_space.n), (1000,), generator=choice)
        wanted = distribution.step(exact, state, action, torch_generator(0, "noise"))
        found = distribution.step(
            rough, state.to(torch.float32), action, torch_generator(0, "noise")
        )
        assert found.observation.dtype == found.reward.dtype == torch.float32
        assert torch.allclose(found.observation.double(), wanted.observation, atol=1e-4, rtol=1e-4)
        assert torch.allclose(found.reward.double(), wanted.reward, atol=1e-4, rtol=1e-4)
        state = wanted.state


@pytest.mark.parametrize("id", FAMILIES)
@pytest.mark.parametrize("split", ["train", "extrapolate"])
def test_no_task_leaves_the_observation_space(id, split):
    """Not even at full effort, one way or the other, for a whole horizon."""
    distribution = metarl.make(id)
    tasks = distribution.sample(1000, split, 6).to("cpu", torch.float32)
    low = torch.from_numpy(distribution.observation_space.low)
    high = torch.from_numpy(distribution.observation_space.high)
    for action in efforts(distribution, 1000):
        state, observation = distribution.reset(tasks, torch_generator(0, "noise"))
        playing = torch.ones(1000, dtype=torch.bool)
        for _ in range(distribution.horizon):
            state, observation, _, terminated, _, _ = distribution.step(
                tasks, state, action, torch_generator(0, "noise")
            )
            inside = ((observation >= low - 1e-6) & (observation <= high + 1e-6)).all(1)
            assert bool((inside | ~playing).all())
            playing &= ~terminated


def efforts(distribution, n):
    """Return the least and the greatest action, n times each."""
    if distribution.action_space.shape:
        return [
            torch.from_numpy(bound).expand(n, -1)
            for bound in (distribution.action_space.low, distribution.action_space.high)
        ]
    return [torch.full((n,), 0), torch.full((n,), int(distribution.action_space.n) - 1)]


@pytest.mark.parametrize("id", FAMILIES)
def test_the_most_extreme_physics_that_are_taken_stay_finite(id):
    """Every combination of the least and the greatest ratio, with and without friction, at full
    effort and at random.
    """
    most = (
        metarl.tasks.control.acrobot.MOST_RATIO
        if id == "Acrobot-v0"
        else metarl.tasks.control.physics_range.MOST_RATIO
    )
    distribution = metarl.make(id)
    one = distribution.sample(1, "test", 0)
    # Friction comes last
    corners = list(itertools.product(*[(1 / most, most)] * (len(fields(one)) - 1), (0.0, 2 * most)))
    tasks = type(one)(*torch.tensor(corners).T)
    n = len(tasks)
    rng = torch_generator(0, "noise")
    choice = torch_generator(0, "choice")
    for efforts_of in [*efforts(distribution, n), None]:
        state, observation = distribution.reset(tasks, rng)
        for _ in range(100):
            action = (
                random_actions(distribution.action_space, n, choice)
                if efforts_of is None
                else efforts_of
            )
            state, observation, reward, terminated, _, _ = distribution.step(
                tasks, state, action, rng
            )
            assert bool(torch.isfinite(observation).all())
            assert bool(torch.isfinite(reward).all())
            state = torch.where(terminated[:, None], distribution.reset(tasks, rng)[0], state)
