"""RL² with a user's own `nn.Module` as policy."""

import pytest
import torch

from metarl.envs.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.learners.rl2 import RL2
from metarl.networks.policy import unroll
from tests.learners.made_tasks import Ragged
from tests.learners.running_sums import RunningSums, running_sums
from tests.learners.small_rl2 import alone_and_together, play, small, updates


@alone_and_together
def test_a_users_policy_acts_as_it_trains_and_resumes(seed):
    def made():
        return RL2(small(), Ragged(), seed, make_policy=running_sums)

    learner, resumed = made(), made()
    updates(learner, 2)
    rollout = play(learner)
    with torch.no_grad():
        log_prob = learner.actions.log_prob(unroll(learner.policy, rollout.steps).parameters, rollout.action)
    torch.testing.assert_close(log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-5, atol=1e-5)
    resumed.load_state_dict(learner.state_dict())
    assert updates(resumed, 1) == updates(learner, 1)
    evaluate(learner.agent(Episodes(30)), Ragged(), "test", 4, 0, Episodes(30))


@pytest.mark.parametrize(("outputs", "sentence"), [(2, r"parameters \(2, 1\) and .*needs \(2, 2\)"), (5, r"parameters \(2, 4\)")])
def test_a_users_policy_that_does_not_fit_gets_a_sentence(outputs, sentence):
    with pytest.raises(ValueError, match=sentence):
        RL2(small(), Ragged(), 0, make_policy=lambda distribution, max_steps: RunningSums(2, outputs))


def test_a_users_policy_that_returns_something_else_gets_a_sentence():
    class Plain(RunningSums):
        def forward(self, step, state):
            return super().forward(step, state)[0].parameters, state

    with pytest.raises(ValueError, match=r"Plain's forward must return \(PolicyOutput"):
        RL2(small(), Ragged(), 0, make_policy=lambda distribution, max_steps: Plain(2, 3))
