"""RL²: determinism, resuming, seeds, weights."""

import random

import numpy as np
import pytest
import torch

from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.learners.memory.rl2 import RL2
from tests.learners.made_tasks import Ragged
from tests.learners.running_sums import running_sums
from tests.learners.small_rl2 import (
    alone_and_together,
    box_tasks,
    every_core,
    play,
    same,
    small,
    updates,
)


@every_core
@alone_and_together
def test_the_same_seed_is_bit_identical_and_another_one_is_not(core, seed):
    another = 7 if seed == 0 else (0, 1, 7)
    first, again, other = (RL2(small(core), Ragged(), each) for each in (seed, seed, another))
    history = updates(first, 2)
    assert updates(other, 2) != history  # in between: nothing is shared
    assert updates(again, 2) == history
    assert same(first.state_dict(), again.state_dict())


@every_core
@alone_and_together
@pytest.mark.parametrize("before", [0, 2])
def test_a_resumed_learner_goes_on_bit_for_bit(core, seed, before):
    learner = RL2(small(core), box_tasks(), seed)
    updates(learner, before)
    state = learner.state_dict()
    wanted = updates(learner, 2)
    resumed = RL2(small(core), box_tasks(), seed)
    updates(resumed, 1)  # whatever it was before
    resumed.load_state_dict(state)
    assert updates(resumed, 2) == wanted
    assert same(resumed.state_dict(), learner.state_dict())
    assert resumed.finished == learner.finished


def test_a_state_is_a_copy():
    learner = RL2(small(), Ragged(), 0)
    updates(learner, 1)
    state = learner.state_dict()
    kept = {"policy": {name: tensor.clone() for name, tensor in state["policy"].items()}}
    moments = state["optimizer"]["0"]["exp_avg"].clone()
    updates(learner, 1)
    assert same(kept["policy"], state["policy"])
    assert torch.equal(moments, state["optimizer"]["0"]["exp_avg"])


def test_iterations_end():
    learner = RL2(small(iterations=2), Ragged(), 0)
    updates(learner, 1)
    assert not learner.finished
    updates(learner, 1)
    assert learner.finished


class Watched(Ragged):
    """Remembers what was sampled."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def sample(self, n, split, seed):
        self.asked.append((n, split, seed))
        return super().sample(n, split, seed)


@alone_and_together
def test_only_training_tasks_are_drawn_and_always_fresh_ones(seed):
    distribution = Watched()
    learner = RL2(small(), distribution, seed)
    updates(learner, 4)
    learner.agent(Episodes(3))
    assert {split for _, split, _ in distribution.asked} == {"train"}
    assert len({number for _, _, number in distribution.asked}) == 4
    assert all(n == 8 * learner.num_seeds for n, _, _ in distribution.asked)


@alone_and_together
@pytest.mark.parametrize("own", [False, True], ids=["", "a user's own policy"])
def test_no_global_generator_is_touched(seed, own):
    numpy = np.random.get_state()[1].copy()  # noqa: NPY002
    before = (torch.get_rng_state(), numpy, random.getstate())
    learner = RL2(small(), Ragged(), seed, make_policy=running_sums if own else None)
    updates(learner, 2)
    evaluate(learner.agent(Episodes(3)), Ragged(), "test", 8, 0, Episodes(3))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


@every_core
def test_seeds_start_as_they_would_alone(core):
    together = RL2(small(core), Ragged(), (4, 5))
    for seed_index, seed in enumerate((4, 5)):
        assert same(together.weights(seed_index), RL2(small(core), Ragged(), seed).weights())


def test_seeds_see_tasks_of_their_own_and_drift_apart():
    learner = RL2(small(), Ragged(), (0, 1))
    updates(learner, 1)
    rollout = play(learner)
    assert not torch.equal(rollout.reward[:, :8], rollout.reward[:, 8:])
    assert not same(learner.weights(0), learner.weights(1))


@every_core
def test_weights_go_from_a_seed_to_a_learner_alone_and_back(core):
    together = RL2(small(core), box_tasks(), (0, 1))
    alone = RL2(small(core), box_tasks(), 9)
    updates(together, 2)
    alone.load_weights(together.weights(1))
    budget = Episodes(3)

    def actions(agent):
        return evaluate(agent, box_tasks(), "test", 8, 0, budget, record_actions=True).actions

    np.testing.assert_allclose(
        actions(alone.agent(budget)), actions(together.agent(budget, 1)), atol=1e-5
    )
    updates(alone, 1)
    together.load_weights(alone.weights())
    for seed_index in range(2):
        assert same(together.weights(seed_index), alone.weights())


def test_weights_and_agents_are_copies():
    learner = RL2(small(), Ragged(), 0)
    weights = learner.weights()
    agent = learner.agent(Episodes(3))
    kept = {name: tensor.clone() for name, tensor in weights["policy"].items()}
    updates(learner, 1)
    assert same(kept, weights["policy"])
    assert same(kept, dict(agent.policy.state_dict()))
