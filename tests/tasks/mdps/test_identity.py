"""The identity task: what is shown, named and paid."""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.mdps.identity import Identity


@pytest.mark.parametrize("terminates", [False, True])
def test_naming_what_is_shown_pays_every_step(terminates):
    identity = Identity(numbers=3, horizon=4, terminates=terminates)
    tasks = identity.sample(6, "train", 0)
    rng = torch_generator(0)
    state, observation = identity.reset(tasks, rng)
    total = torch.zeros(6)
    for t in range(4):
        assert torch.equal(observation, tasks.numbers[:, t])
        transition = identity.step(tasks, state, observation, rng)
        assert (
            bool(transition.terminated.all())
            == bool(transition.terminated.any())
            == (terminates and t == 3)
        )
        assert transition.success.all()
        total += transition.reward
        state = transition.state
        observation = transition.observation
    assert total.tolist() == [4.0] * 6
    assert identity.optimum(2) == 8.0
    assert identity.upper_bound(tasks, 2).tolist() == [8.0] * 6


def test_naming_something_else_pays_nothing():
    identity = Identity(numbers=3, horizon=2)
    tasks = identity.sample(6, "train", 0)
    rng = torch_generator(0)
    state, observation = identity.reset(tasks, rng)
    transition = identity.step(tasks, state, (observation + 1) % 3, rng)
    assert not transition.reward.any()
    assert not transition.success.any()


def test_numbers_are_uniform_and_stay_the_same_from_version_to_version():
    identity = Identity()
    numbers = identity.sample(20_000, "train", 0).numbers
    assert torch.bincount(numbers.flatten()).div(100_000).tolist() == pytest.approx(
        [0.25] * 4, abs=0.006
    )
    assert identity.sample(4, "test", 0).fingerprint == "dcd18288ec8397d1"


def test_it_says_that_its_tasks_are_few_and_shown():
    assert Identity.finite
    assert Identity.reveals


@pytest.mark.parametrize("arguments", [{"numbers": 0}, {"horizon": 0}])
def test_bad_settings_are_refused(arguments):
    with pytest.raises(ValueError, match="numbers and horizon must be at least 1"):
        Identity(**arguments)
