"""Options: which sub-policy acts, what masters are paid, and choices drawn at random."""

import gymnasium as gym
import pytest
import torch

from metarl.core.step import Step
from metarl.core.supervised import Examples
from metarl.learners.hierarchy.mlsh import together
from metarl.learners.hierarchy.options import (
    BLOCK,
    Hierarchy,
    HierarchyPlayer,
    as_choices,
    by_sub_policy,
    shared_out,
)
from metarl.learners.policy_gradient.advantages import PolicyGradientBatch
from metarl.learners.policy_gradient.trajectory import Trajectory
from metarl.networks.inputs import StepInputs
from metarl.networks.perceptron import PerceptronConfig

SEEN = gym.spaces.Box(-1, 1, (3,))
DONE = gym.spaces.Discrete(4)


def stream(seed):
    return torch.Generator().manual_seed(seed)


def hierarchy(options=3, option_length=2, random_option=0.0, master_only_features=0):
    inputs = StepInputs(SEEN, DONE, observation_only=True)
    return Hierarchy(
        inputs,
        DONE,
        options,
        option_length,
        random_option,
        PerceptronConfig((8,)),
        stream(0),
        0.0,
        master_only_features,
    )


def masters(own, n, bias=None):
    """n masters that begin alike; with `bias`, each prefers one option by far."""
    weights = [weight.expand(n, *weight.shape).clone() for weight in own.first_master]
    if bias is not None:
        weights[-1][torch.arange(n), torch.tensor(bias)] = 50.0
    return weights


def seen(rows):
    none = torch.zeros(rows, dtype=torch.bool)
    observation = torch.randn(rows, 3, generator=stream(1))
    return Step(
        observation,
        torch.zeros(rows, dtype=torch.int64),
        torch.zeros(rows),
        none,
        none,
        observation,
        none,
    )


def test_every_row_acts_by_its_own_option():
    own = hierarchy()
    features = torch.randn(5, 3, generator=stream(2))
    option = torch.tensor([0, 2, 1, 2, 0])
    together = own.parameters(own.first_sub_policies, features, option)
    for row in range(5):
        alone = own.sub_policy(
            [weight[option[row], None] for weight in own.first_sub_policies],
            features[row][None, None],
        )
        assert torch.allclose(together[row], alone[0, 0], atol=1e-6)
    assert not torch.allclose(
        together[0], own.parameters(own.first_sub_policies, features, torch.ones_like(option))[0]
    )


def test_rows_shared_out_among_sub_policies_are_computed_as_by_all():
    own = hierarchy()
    rng = stream(3)
    features = torch.randn(4 * BLOCK, 3, generator=rng)
    for option in (
        torch.randint(3, (4 * BLOCK,), generator=rng),
        torch.ones(4 * BLOCK, dtype=torch.int64),
    ):
        shared = shared_out(option, 3)
        assert shared.rows.shape == (3, 2 * BLOCK if option.min() == 0 else 4 * BLOCK)
        wanted = own.parameters(own.first_sub_policies, features, option)
        assert torch.allclose(
            own.own_parameters(own.first_sub_policies, features, shared), wanted, atol=1e-6
        )


def test_a_tasks_rows_follow_its_master_for_n_steps():
    own = hierarchy()
    player = HierarchyPlayer(own, masters(own, 2, [2, 1]), own.first_sub_policies, stream(3))
    state = 0
    step = seen(6)
    for _ in range(4):
        output, state = player(step, state)
        assert output.parameters.shape == (6, 4)
    assert len(player.chosen) == len(player.log_prob) == 2
    for option, log_prob in zip(player.chosen, player.log_prob, strict=True):
        assert option.tolist() == [2, 2, 2, 1, 1, 1]
        assert torch.allclose(log_prob, torch.zeros(6), atol=1e-6)


def test_random_options_come_as_often_as_asked_and_the_likely_ones_on_demand():
    own = hierarchy(random_option=0.3)
    weights = masters(own, 1, [1])
    features = torch.zeros(1, 20000, 3)
    option, _ = own.choose(weights, features, stream(4))
    assert abs(float((option != 1).float().mean()) - 0.2) < 0.02  # two of three of them are others
    option, _ = own.choose(weights, features, stream(4), torch.ones(1, 20000, dtype=torch.bool))
    assert bool((option == 1).all())


def test_choices_are_paid_what_follows_until_the_next():
    own = hierarchy(option_length=2)
    player = HierarchyPlayer(own, masters(own, 1), own.first_sub_policies, stream(5))
    player.chosen = [torch.tensor([0, 1]), torch.tensor([2, 2]), torch.tensor([1, 0])]
    player.log_prob = [
        torch.tensor([-0.1, -0.2]),
        torch.tensor([-0.3, -0.4]),
        torch.tensor([-0.5, -0.6]),
    ]
    reward = torch.tensor([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0], [8.0, 80.0], [16.0, 160.0]])[
        :, None
    ]  # [5, 1, 2]
    valid = torch.ones(5, 1, 2, dtype=torch.bool)
    valid[3:, 0, 1] = False  # the second episode ends with its third step
    ended = torch.zeros(5, 1, 2, dtype=torch.bool)
    ended[2, 0, 1] = True
    blank = torch.zeros(5, 1, 2)
    features = torch.arange(10.0).reshape(5, 1, 2, 1)
    final = torch.zeros(1, 2, 1)
    steps = Trajectory(features, blank.long(), blank, reward, ended, valid, final_observation=final)
    choices = as_choices(steps, player)
    assert choices.reward[:, 0].tolist() == [[3.0, 30.0], [12.0, 40.0], [16.0, 0.0]]
    assert choices.valid[:, 0].tolist() == [[True, True], [True, True], [True, False]]
    assert choices.action[:, 0].tolist() == [[0, 1], [2, 2], [1, 0]]
    assert choices.observation[:, 0, :, 0].tolist() == [[0.0, 1.0], [4.0, 5.0], [8.0, 9.0]]
    assert choices.terminated[:, 0].tolist() == [[False, False], [False, True], [False, False]]


def test_a_rows_own_sub_policies_act_as_if_they_were_alone():
    own = hierarchy()
    features = torch.randn(2, 3, generator=stream(2))
    option = torch.tensor([2, 0])
    weights = [
        torch.randn(6, *weight.shape[1:], generator=stream(3)) for weight in own.first_sub_policies
    ]
    found = own.parameters(weights, features, option)
    for i in range(2):
        alone = own.parameters(
            [weight[3 * i : 3 * i + 3] for weight in weights],
            features[i : i + 1],
            option[i : i + 1],
        )
        assert torch.allclose(found[i], alone[0], atol=1e-6)


def test_what_only_masters_see_changes_nothing_for_sub_policies():
    own = hierarchy(master_only_features=1)
    told = torch.tensor([0, 1, 2])
    features = torch.randn(3, 3, generator=stream(2))
    other = features + torch.tensor([5.0, 0.0, 0.0])
    found = own.parameters(own.first_sub_policies, features, told)
    assert torch.equal(found, own.parameters(own.first_sub_policies, other, told))
    assert not torch.equal(found, own.parameters(own.first_sub_policies, features.flip(1), told))
    master = [weight[None] for weight in own.first_master]
    assert not torch.equal(own.master(master, features[None]), own.master(master, other[None]))
    batch = Examples(features[None], PolicyGradientBatch(*(torch.ones(1, 3) for _ in range(4))))
    assert torch.equal(
        by_sub_policy(batch, told[None], own)[0].inputs, features[:, 1:].expand(3, 3, 2)
    )
    with pytest.raises(ValueError, match="master_only_features must leave"):
        hierarchy(master_only_features=3)


def test_each_sub_policy_gets_its_own_steps_of_all_tasks_or_of_each():
    inputs = torch.arange(8.0).reshape(2, 4, 1)
    weight = torch.tensor([[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    gain = weight * torch.arange(1.0, 9.0).reshape(2, 4)
    batch = Examples(
        inputs,
        PolicyGradientBatch(torch.zeros(2, 4, dtype=torch.int64), torch.zeros(2, 4), gain, weight),
    )
    option = torch.tensor([0, 1, 1, 0, 2, 2, 2, 1])
    shared, share = by_sub_policy(together(batch), option[None], hierarchy())
    assert shared.inputs.shape == (3, 8, 1)
    assert shared.targets.advantage.tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [0, 2, 3, 0, 0, 0, 0, 8],
        [0, 0, 0, 0, 5, 6, 7, 0],
    ]
    assert torch.allclose(share, torch.tensor([1.0, 3.0, 3.0]) / 7)
    apart, shares = by_sub_policy(batch, option.view(2, 4), hierarchy())
    assert apart.inputs.shape == (6, 4, 1)
    assert apart.targets.advantage.tolist() == [
        [1, 0, 0, 0],
        [0, 2, 3, 0],
        [0] * 4,
        [0] * 4,
        [0, 0, 0, 8],
        [5, 6, 7, 0],
    ]
    assert torch.allclose(shares, torch.tensor([1 / 3, 2 / 3, 0, 0, 0.25, 0.75]))


def test_every_sub_policy_may_be_given_all_steps():
    gain = torch.tensor([[1.0, 2.0, 0.0]])
    weight = torch.tensor([[1.5, 1.5, 0.0]])
    batch = Examples(
        torch.ones(1, 3, 1),
        PolicyGradientBatch(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, 3), gain, weight),
    )
    every, share = by_sub_policy(batch, torch.tensor([[0, 1, 2]]), hierarchy(), own=False)
    assert torch.equal(every.targets.advantage, gain.expand(3, 3))
    assert torch.equal(every.targets.weight, weight.expand(3, 3))
    assert share.tolist() == [1, 1, 1]
