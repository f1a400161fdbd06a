"""RL² with a user's own `nn.Module` as policy."""

import random
import re

import numpy as np
import pytest
import torch
from torch import nn

from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.learners.memory.rl2 import RL2
from metarl.networks.policies.policy import PolicyOutput
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from tests.learners.made_tasks import Ragged
from tests.learners.running_sums import RunningSums, running_sums
from tests.learners.small_rl2 import alone_and_together, play, small, updates


@alone_and_together
def test_a_users_policy_acts_as_it_trains_and_resumes(seed):
    def made():
        return RL2(small(), Ragged(), seed, make_policy=running_sums)

    learner = made()
    resumed = made()
    updates(learner, 2)
    rollout = play(learner)
    with torch.no_grad():
        log_prob = learner.actions.log_prob(
            learner.policy.sequence(rollout.steps).parameters, rollout.action
        )
    torch.testing.assert_close(
        log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-5, atol=1e-5
    )
    resumed.load_state_dict(learner.state_dict())
    assert updates(resumed, 1) == updates(learner, 1)
    evaluate(learner.agent(Episodes(30)), Ragged(), "test", 4, 0, Episodes(30))


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [(2, r"parameters \(2, 1\) and .*needs \(2, 2\)"), (5, r"parameters \(2, 4\)")],
)
def test_a_users_policy_that_does_not_fit_gets_a_sentence(outputs, sentence):
    with pytest.raises(ValueError, match=sentence):
        RL2(
            small(),
            Ragged(),
            0,
            make_policy=lambda distribution, max_steps: RunningSums(2, outputs),
        )


def test_a_users_policy_that_returns_something_else_gets_a_sentence():
    class Plain(RunningSums):
        def forward(self, step, state):
            return super().forward(step, state)[0].parameters, state

    with pytest.raises(ValueError, match=r"Plain's forward must return \(PolicyOutput"):
        RL2(small(), Ragged(), 0, make_policy=lambda distribution, max_steps: Plain(2, 3))


class Layered(nn.Module):
    """Reads the last action through any layer."""

    def __init__(self, layer, call=None, outputs=4):
        super().__init__()
        self.layer = layer
        self.call = call or (lambda layer, x: layer(x))
        self.before = nn.Linear(3, 4)
        self.head = nn.Linear(4, outputs)

    def initial_state(self, rows):
        return torch.zeros(rows, 1)

    def forward(self, step, state):
        x = nn.functional.one_hot(step.prev_action, 3) * ~step.meta_episode_start[:, None] * 1.0
        out = self.head(self.call(self.layer, self.before(x)))
        return PolicyOutput(out[:, :-1], out[:, -1]), state


def recurrent(layer, x):
    return layer(x[:, None])[0][:, 0]


def attending(layer, x):
    return layer(x[:, None], x[:, None], x[:, None])[0][:, 0]


LAYERS = {
    "linear": (lambda: nn.Linear(4, 4), None),
    "layer norm": (lambda: nn.LayerNorm(4), None),
    "GRU cell": (lambda: nn.GRUCell(4, 4), None),
    "LSTM": (lambda: nn.LSTM(4, 4, batch_first=True), recurrent),
    "GRU": (lambda: nn.GRU(4, 4, batch_first=True), recurrent),
    "RNN": (lambda: nn.RNN(4, 4, batch_first=True), recurrent),
    "attention": (lambda: nn.MultiheadAttention(4, 2, batch_first=True), attending),
    "batch norm": (lambda: nn.BatchNorm1d(4), None),
    "batch norm without statistics": (lambda: nn.BatchNorm1d(4, track_running_stats=False), None),
    "spectral norm": (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), None),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), None),
    "frozen": (lambda: nn.Linear(4, 4).requires_grad_(False), None),
}
DRAWING = {
    "dropout": (lambda: nn.Dropout(0.5), None),
    "alpha dropout": (lambda: nn.AlphaDropout(0.5), None),
    "functional dropout": (nn.Identity, lambda layer, x: nn.functional.dropout(x, 0.5)),
    "RReLU": (nn.RReLU, None),
    "noise of PyTorch": (nn.Identity, lambda layer, x: x + torch.randn_like(x)),
    "noise of NumPy": (nn.Identity, lambda layer, x: x + float(np.random.rand())),  # noqa: NPY002
    "noise of Python": (nn.Identity, lambda layer, x: x + random.random()),
}


def layered(kind):
    layer, call = {**LAYERS, **DRAWING}[kind]
    return lambda distribution, max_steps: Layered(layer(), call)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("seed", [0, (0, 1)], ids=["alone", "together"])
@pytest.mark.parametrize("kind", LAYERS)
def test_any_layer_trains_by_its_seed_alone_or_says_that_seeds_go_one_by_one(kind, seed):
    said = ""
    found = []
    for _ in range(2):
        try:
            learner = RL2(small(num_envs=4), BernoulliBandit(3), seed, make_policy=layered(kind))
        except ValueError as error:
            said = str(error)
            break
        found.append(updates(learner, 2))
        torch.rand(1)
    if said:
        assert isinstance(seed, tuple)
        assert re.search(
            "can't be computed for 2 seeds in one batch .*Train one seed at a time|than for each"
            " alone",
            said,
        )
        return
    assert found[0] == found[1]
    evaluate(learner.agent(Episodes(3)), BernoulliBandit(3), "test", 4, 0, Episodes(3))


@pytest.mark.parametrize("seed", [0, (0, 1)], ids=["alone", "together"])
@pytest.mark.parametrize("kind", DRAWING)
def test_a_layer_that_draws_from_a_global_generator_is_refused(kind, seed):
    with pytest.raises(
        ValueError, match="Layered draws from a global generator when it computes, as dropout does"
    ):
        RL2(small(), BernoulliBandit(3), seed, make_policy=layered(kind))


def test_dropout_that_is_switched_off_is_none():
    policy = layered("dropout")(None, 0).eval()
    RL2(small(), BernoulliBandit(3), 0, make_policy=lambda distribution, max_steps: policy).update()


def test_one_policy_for_two_seeds_is_refused_and_for_two_learners_copied():
    policy = layered("linear")(None, 0)
    with pytest.raises(
        ValueError, match="make_policy gave the same Layered, or parts of it, for several seeds"
    ):
        RL2(small(), BernoulliBandit(3), (0, 1), make_policy=lambda distribution, max_steps: policy)
    with pytest.raises(ValueError, match="make_policy gave the same Layered, or parts of it"):
        RL2(
            small(),
            BernoulliBandit(3),
            (0, 1),
            make_policy=lambda distribution, max_steps: Layered(policy.layer),
        )
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    first, second = (
        RL2(small(), BernoulliBandit(3), 0, make_policy=lambda distribution, max_steps: policy)
        for _ in range(2)
    )
    found = updates(first, 2)
    assert all(torch.equal(before[name], tensor) for name, tensor in policy.state_dict().items())
    assert updates(second, 2) == found


class Odd(Layered):
    """Answers in a way that tests choose."""

    def __init__(self, answer):
        super().__init__(nn.Linear(4, 4))
        self.answer = answer

    def forward(self, step, state):
        return self.answer(*super().forward(step, state))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda output, state: output, r"Odd's forward must return \(PolicyOutput"),
        (
            lambda output, state: (output.parameters, state),
            r"Odd's forward must return \(PolicyOutput",
        ),
        (
            lambda output, state: (output._replace(value=None), state),
            "Odd puts out value that .* NoneType",
        ),
        (
            lambda output, state: (output._replace(parameters=output.parameters.long()), state),
            "Odd puts out parameters that .*int64",
        ),
        (
            lambda output, state: (output._replace(value=output.value[:, None]), state),
            r"values \(2, 1\) for 2 rows",
        ),
        (
            lambda output, state: (output._replace(parameters=output.parameters[:, :2]), state),
            r"parameters \(2, 2\).*needs \(2, 3\)",
        ),
        (
            lambda output, state: (output._replace(parameters=output.parameters / 0), state),
            "Odd puts out parameters that aren't finite",
        ),
        (
            lambda output, state: (output._replace(value=output.value * torch.nan), state),
            "Odd puts out value that aren't finite",
        ),
        (
            lambda output, state: output.nothing,
            "Odd can't compute the first step of 2 rows .*AttributeError",
        ),
        (lambda output, state: 1 @ state, "Odd can't compute the first step of 2 rows .*TypeError"),
    ],
)
def test_wrong_answers_get_a_sentence(answer, sentence):
    with pytest.raises(ValueError, match=sentence):
        RL2(small(), BernoulliBandit(3), 0, make_policy=lambda distribution, max_steps: Odd(answer))


@pytest.mark.parametrize("given", [None, Layered, nn.Linear(3, 4), lambda step, state: None])
def test_what_is_no_policy_gets_a_sentence(given):
    with pytest.raises(
        ValueError, match=r"make_policy must return a torch.nn.Module with initial_state"
    ):
        RL2(small(), BernoulliBandit(3), 0, make_policy=lambda distribution, max_steps: given)
