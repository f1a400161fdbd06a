"""Checks of learners pass on a sound one and catch broken ones."""

import math
import random

import numpy as np
import pytest
import torch

from metarl.checks.learning import (
    LEARNING_CHECKS,
    check_agent_of_its_own,
    check_agent_passes_its_checks,
    check_global_generators_while_learning,
    check_learns_identity_terminated,
    check_learns_identity_truncated,
    check_metrics,
    check_seeds,
    check_state_is_complete,
    check_trains_on_training_tasks,
    check_weights,
    through_files,
)
from metarl.core.budget import Episodes
from metarl.core.errors import PlugInError
from metarl.tasks.mdps.identity import Identity
from tests.checks.tiny_learner import Table, TinyLearner

IDENTITY = Identity(numbers=3, horizon=4)
BUDGET = Episodes(2, 0)


class NotALearner:
    def __init__(self, distribution, seed):
        pass


class Metrics(TinyLearner):
    """A learner whose metrics go through `change`."""

    def update(self):
        return self.change(super().update())


class NoReturn(Metrics):
    def change(self, metrics):
        del metrics["return"]
        return metrics


class NotANumber(Metrics):
    def change(self, metrics):
        return metrics | {"loss": math.nan}


class GivesTensors(Metrics):
    def change(self, metrics):
        return metrics | {"loss": torch.ones(1)}


class StepsOfTheUpdate(Metrics):
    def change(self, metrics):
        return metrics | {"steps": 256.0}


class StreamOfAllLearners(TinyLearner):
    rng_of_all = torch.Generator().manual_seed(0)

    def __init__(self, distribution, seed):
        super().__init__(distribution, seed)
        self.rng = self.rng_of_all


class IgnoresTheSeed(TinyLearner):
    def __init__(self, distribution, seed):
        super().__init__(distribution, 0)


class ForgetsTheOptimiser(TinyLearner):
    def state_dict(self):
        return super().state_dict() | {"optimizer": {}}

    def load_state_dict(self, state):
        moments = self.optimizer.state[self.logits]
        super().load_state_dict(state)
        self.optimizer.state[self.logits] = moments


class ForgetsItsStream(TinyLearner):
    def load_state_dict(self, state):
        kept = self.rng.get_state()
        super().load_state_dict(state)
        self.rng.set_state(kept)


class ForgetsTheCount(TinyLearner):
    def load_state_dict(self, state):
        kept = self.iteration
        super().load_state_dict(state)
        self.iteration = kept


class SavesItsOptimiser(TinyLearner):
    def state_dict(self):
        return super().state_dict() | {"optimizer": self.optimizer}


class HalfOfTheWeights(TinyLearner):
    def weights(self, seed_index=0):
        return {"logits": self.logits.detach()[:, :1]}

    def load_weights(self, weights):
        with torch.no_grad():
            self.logits[:, :1].copy_(weights["logits"][:, :1])


class LendsItsWeights(TinyLearner):
    def agent(self, budget, seed_index=0):
        return Table(self.logits)


class AgentTrainsOnTheLearnersStream(TinyLearner):
    def agent(self, budget, seed_index=0):
        return Borrower(self.logits.detach().clone(), self.rng)


class Borrower(Table):
    def __init__(self, logits, rng):
        super().__init__(logits)
        self.rng = rng

    def act(self, step, state, rng):
        self.rng.manual_seed(int(torch.randint(2**31, (), generator=rng)))
        return super().act(step, state, self.rng)


class AgentWithAHabit(TinyLearner):
    """The agent changes the step that it is given."""

    def agent(self, budget, seed_index=0):
        return Habit(self.logits.detach().clone())


class Habit(Table):
    def act(self, step, state, rng):
        step.prev_reward.fill_(1)
        return super().act(step, state, rng)


class TrainsOnTest(TinyLearner):
    split = "test"


class GlobalTorch(TinyLearner):
    def update(self):
        torch.rand(1)
        return super().update()


class GlobalPythonWhenBuilt(TinyLearner):
    def __init__(self, distribution, seed):
        random.seed(seed)
        super().__init__(distribution, seed)


class AgentWithGlobalNumPy(TinyLearner):
    def agent(self, budget, seed_index=0):
        np.random.random()  # noqa: NPY002
        return super().agent(budget)


class LearnsTheOpposite(TinyLearner):
    def gain(self, chosen, outcome):
        return -super().gain(chosen, outcome)


class LosesRewardsAtTermination(TinyLearner):
    """Takes a terminated step's reward for a loss, as who merges ends and values may."""

    def gain(self, chosen, outcome):
        ended = outcome.terminated.any()
        return super().gain(chosen, outcome) * torch.where(ended, -9.0, 1.0)


@pytest.mark.parametrize("check", LEARNING_CHECKS)
def test_a_sound_learner_passes(check):
    check(TinyLearner, IDENTITY, BUDGET)


@pytest.mark.parametrize(
    ("broken", "check", "words"),
    [
        (NotALearner, check_metrics, "isn't a learner"),
        (NoReturn, check_metrics, "doesn't report 'return'"),
        (NotANumber, check_metrics, "reports 'loss' as nan"),
        (GivesTensors, check_metrics, "Report finite Python numbers"),
        (StepsOfTheUpdate, check_metrics, "reports steps 256.0 after 256.0"),
        (StreamOfAllLearners, check_seeds, "trains differently with the same seed"),
        (IgnoresTheSeed, check_seeds, "trains the same with seeds 0 and 1"),
        (ForgetsTheOptimiser, check_state_is_complete, "goes on differently after load_state_dict"),
        (ForgetsItsStream, check_state_is_complete, "goes on differently after load_state_dict"),
        (ForgetsTheCount, check_state_is_complete, "goes on differently after load_state_dict"),
        (SavesItsOptimiser, check_state_is_complete, "can't be saved: .*optimizer is a Adam"),
        (HalfOfTheWeights, check_weights, "an agent made from published weights acts differently"),
        (LendsItsWeights, check_agent_of_its_own, "acts differently after its learner trained on"),
        (
            AgentTrainsOnTheLearnersStream,
            check_agent_of_its_own,
            "trains differently when its agent is played",
        ),
        (AgentWithAHabit, check_agent_passes_its_checks, "changes prev_reward of its step"),
        (TrainsOnTest, check_trains_on_training_tasks, "The learner drew tasks of split 'test'"),
        (
            GlobalTorch,
            check_global_generators_while_learning,
            "GlobalTorch.update touched the global generator of PyTorch",
        ),
        (
            GlobalPythonWhenBuilt,
            check_global_generators_while_learning,
            "Building the learner touched the global generator of Python",
        ),
        (
            AgentWithGlobalNumPy,
            check_global_generators_while_learning,
            "touched the global generator of NumPy",
        ),
        (
            LearnsTheOpposite,
            check_learns_identity_truncated,
            "of the optimum of .* after 64 updates, not 0.9",
        ),
        (
            LosesRewardsAtTermination,
            check_learns_identity_terminated,
            "of the optimum of .*'terminates|terminates=True",
        ),
    ],
)
def test_a_broken_learner_is_caught(broken, check, words):
    kept = random.getstate()
    try:
        with pytest.raises(PlugInError, match=words):
            check(broken, IDENTITY, BUDGET)
    finally:
        random.setstate(kept)


def test_a_learner_that_fails_at_termination_only_passes_the_other_check():
    check_learns_identity_truncated(LosesRewardsAtTermination, IDENTITY, BUDGET)


def test_through_files_gives_back_what_was_saved():
    state = {"a": {"b": torch.arange(3)}, "count": 2, "names": ["x", None, True]}
    again = through_files(state, "state")
    assert torch.equal(again["a"]["b"], state["a"]["b"])
    assert (again["count"], again["names"]) == (2, ["x", None, True])
