"""PPO of several policies at once.

Each policy learns as it would alone, and a plain loop gives the same.
"""

import gymnasium as gym
import pytest
import torch

from metarl.core.supervised import Examples
from metarl.learners.optimizers import Adam
from metarl.learners.policy_gradient.advantages import PolicyGradientBatch
from metarl.learners.policy_gradient.stacked_ppo import Stack, StackedPPO, improved, minibatches
from metarl.networks.actions import action_distribution
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import PerceptronConfig
from metarl.networks.policies.perceptron_policy import PolicyPerceptron

SPACE = gym.spaces.Discrete(3)
ACTIONS = action_distribution(SPACE)


def stream(seed):
    return torch.Generator().manual_seed(seed)


def made(n=2, samples=12, counted=0.8):
    """Return a network, n policies of it and samples, of which that share counts."""
    policies = [PolicyPerceptron(4, SPACE, PerceptronConfig((8,)), stream(i)) for i in range(n)]
    weights = [
        torch.stack(parts).detach()
        for parts in zip(*(policy.parameters() for policy in policies), strict=True)
    ]
    rng = stream(9)
    inputs = torch.randn(n, samples, 4, generator=rng)
    action = torch.randint(3, (n, samples), generator=rng)
    weight = (torch.rand(n, samples, generator=rng) < counted).float()
    network = PerTask(policies[0])
    log_prob = ACTIONS.log_prob(network(weights, inputs), action).detach()
    gain = weight * torch.randn(n, samples, generator=rng)
    return network, weights, Examples(inputs, PolicyGradientBatch(action, log_prob, gain, weight))


@pytest.mark.parametrize(
    ("samples", "counted", "entropy"),
    [(12, 0.8, 0.02), (201, 0.3, 0.02), (201, 0.3, 0.0), (12, 0.0, 0.02)],
    ids=["few", "most don't count", "without a bonus", "none counts"],
)
def test_an_update_is_what_a_plain_loop_makes(samples, counted, entropy):
    network, weights, examples = made(1, samples, counted)
    settings = StackedPPO(lr=0.05, epochs=3, minibatches=2, clip=0.1, entropy_coef=entropy)
    policy = network.network
    for parameter, weight in zip(policy.parameters(), weights, strict=True):
        parameter.data.copy_(weight[0])
    optimiser = torch.optim.Adam(policy.parameters(), 0.05, eps=1e-5)
    rng = stream(3)
    targets = examples.targets
    stack = improved(network, ACTIONS, Stack.of(weights), examples, settings, stream(3))
    for _ in range(3):
        for index in torch.randperm(samples, generator=rng).tensor_split(2):
            chances = torch.distributions.Categorical(logits=policy(examples.inputs[0, index]))
            ratio = (chances.log_prob(targets.action[0, index]) - targets.log_prob[0, index]).exp()
            gain = targets.advantage[0, index]
            paid = torch.minimum(ratio * gain, ratio.clamp(0.9, 1.1) * gain)
            loss = -(paid + entropy * targets.weight[0, index] * chances.entropy()).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    for weight, parameter in zip(stack.weights, policy.parameters(), strict=True):
        assert torch.allclose(weight[0], parameter, atol=1e-5)


def test_minibatches_hold_what_counts_and_little_else():
    _, _, examples = made(2, 1000, 0.2)
    parts = list(
        minibatches(examples.inputs, examples.targets, torch.randperm(1000, generator=stream(2)), 3)
    )
    assert len(parts) == 3
    assert all(part.inputs.shape[1] in (64, 96) for part in parts)  # of 333, where about 67 count
    for i in range(2):
        mine = examples.targets.weight[i] > 0
        for whole, given in (
            (examples.inputs[i, mine], "inputs"),
            (examples.targets.log_prob[i, mine], "log_prob"),
        ):
            kept = [
                (part.inputs if given == "inputs" else part.targets.log_prob)[i][
                    part.targets.weight[i] > 0
                ]
                for part in parts
            ]
            assert torch.equal(torch.cat(kept).sort(0).values, whole.sort(0).values)


def test_each_policy_learns_as_it_would_alone():
    network, weights, examples = made()
    settings = StackedPPO(epochs=2, minibatches=3)
    whole = improved(network, ACTIONS, Stack.of(weights), examples, settings, stream(1))
    for i in range(2):
        own = Examples(
            examples.inputs[i : i + 1],
            PolicyGradientBatch(*(part[i : i + 1] for part in examples.targets[:4])),
        )
        alone = improved(
            network,
            ACTIONS,
            Stack.of([weight[i : i + 1] for weight in weights]),
            own,
            settings,
            stream(1),
        )
        for together, apart in zip(whole.weights, alone.weights, strict=True):
            assert torch.allclose(together[i], apart[0], atol=1e-6)


def test_threads_change_nothing_but_rounding():
    network, weights, examples = made(n=5, samples=30)
    shares = torch.rand(5, generator=stream(4))
    found = []
    before = torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            found.append(
                improved(
                    network,
                    ACTIONS,
                    Stack.of(weights),
                    examples,
                    StackedPPO(epochs=2),
                    stream(1),
                    shares,
                )
            )
        finally:
            torch.set_num_threads(before)
    assert found[0].taken.tolist() == found[1].taken.tolist() == [6] * 5
    for one, other in zip(found[0].weights, found[1].weights, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_shares_scale_steps():
    network, weights, examples = made()
    stack = improved(
        network,
        ACTIONS,
        Stack.of(weights),
        examples,
        StackedPPO(),
        stream(1),
        torch.tensor([1.0, 0.0]),
    )
    assert any(
        not torch.equal(after[0], before[0])
        for after, before in zip(stack.weights, weights, strict=True)
    )
    assert all(
        torch.equal(after[1], before[1])
        for after, before in zip(stack.weights, weights, strict=True)
    )


def test_parts_are_taken_out_and_put_back():
    _, weights, _ = made(n=3)
    stack = Stack.of(weights)
    rows = torch.tensor([2, 0])
    part = stack.of_rows(rows)
    ones = [torch.ones_like(weight) for weight in part.weights]
    changed = Stack(*Adam(0.1).step(part.weights, ones, part.adam))
    stack.put(rows, changed)
    assert stack.taken.tolist() == [1, 0, 1]
    assert torch.equal(stack.weights[0][2], changed.weights[0][0])
    assert torch.equal(stack.weights[0][1], weights[0][1])
    again = Stack.from_state(stack.state_dict(), torch.device("cpu"))
    assert all(
        torch.equal(one, other)
        for one, other in zip(again.adam["second"], stack.adam["second"], strict=True)
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"lr": 0.0}, "lr must be positive"),
        ({"lr": float("inf")}, "lr must be finite"),
        ({"discount": 1.1}, "must lie in"),
    ],
)
def test_bad_settings_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        StackedPPO(**arguments)
