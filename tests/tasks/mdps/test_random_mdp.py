"""Random tabular MDPs.

The priors they are drawn from, the steps they take, and the known-model optimum.
"""

import itertools

import numpy as np
import pytest
import torch

import metarl
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.mdps.random_mdp import RandomMDP, RandomMDPTasks, optimal_values


@pytest.mark.parametrize("concentration", [0.5, 1.0, 3.0])
def test_transition_rows_have_the_moments_of_a_dirichlet(concentration):
    # Independent rows
    rows = (
        RandomMDP(states=4, transition_concentration=concentration)
        .sample(4000, "train", 0)
        .transitions[:, 0, 0]
    )
    total = 4 * concentration
    assert torch.allclose(rows.sum(1), torch.ones(4000, dtype=torch.float64))
    variance = 0.25 * 0.75 / (total + 1)
    assert torch.allclose(
        rows.mean(0), torch.full((4,), 0.25, dtype=torch.float64), atol=5 * (variance / 4000) ** 0.5
    )
    assert rows.var(0).mean().item() == pytest.approx(variance, rel=0.1)
    covariance = np.cov(rows.numpy().T)[0, 1]
    assert covariance == pytest.approx(-0.25 * 0.25 / (total + 1), abs=5 * variance / 4000**0.5)


def test_reward_means_have_the_moments_of_their_prior():
    means = (
        RandomMDP(reward_prior_mean=-2.0, reward_prior_std=3.0).sample(1000, "test", 1).reward_means
    )
    assert means.shape == (1000, 10, 5)
    assert means.mean().item() == pytest.approx(-2, abs=5 * 3 / 50_000**0.5)
    assert means.std().item() == pytest.approx(3, rel=0.02)


def test_steps_follow_the_probabilities_and_pay_noisy_means():
    distribution = RandomMDP(states=5, actions=3, reward_noise=0.5)
    count = 40_000
    task = distribution.sample(1, "train", 2)
    state = torch.full((count,), 3)
    action = torch.full((count,), 1)
    transition = distribution.step(task[[0] * count], state, action, torch_generator(0, "noise"))
    expected = task.transitions[0, 3, 1]
    seen = torch.bincount(transition.observation, minlength=5) / count
    assert (seen - expected).abs().max().item() < 5 * 0.5 / count**0.5
    assert torch.equal(transition.state, transition.observation)
    mean = task.reward_means[0, 3, 1].item()
    assert transition.reward.mean().item() == pytest.approx(mean, abs=5 * 0.5 / count**0.5)
    assert transition.reward.std().item() == pytest.approx(0.5, rel=0.03)
    assert not transition.terminated.any()
    assert not transition.success.any()


def test_without_noise_and_choice_the_reward_is_the_mean():
    distribution = RandomMDP(states=1, actions=1, reward_noise=0.0)
    tasks = distribution.sample(7, "train", 0)
    zeros = torch.zeros(7, dtype=torch.int64)
    transition = distribution.step(tasks, zeros, zeros, torch_generator(0, "noise"))
    assert torch.equal(transition.reward, tasks.reward_means[:, 0, 0])
    assert torch.equal(transition.observation, zeros)


def test_episodes_start_in_state_0_and_are_truncated_at_the_horizon():
    distribution = RandomMDP(horizon=3)
    env = MetaEpisodeEnv(distribution, Episodes(2, 0), 5, torch_generator(0, "noise"))
    tasks = distribution.sample(5, "train", 0)
    step = env.reset(lambda rows, counts: tasks)
    zeros = torch.zeros(5, dtype=torch.int64)
    for t in range(6):
        if t % 3 == 0:
            assert torch.equal(step.observation, zeros)
            assert bool(step.episode_start.all())
        step, outcome = env.step(zeros)
        assert bool(outcome.truncated.all()) == (t % 3 == 2)
        assert not outcome.terminated.any()


def test_tasks_depend_on_seed_and_split_alone():
    distribution = RandomMDP()
    first = distribution.sample(20, "train", 5)
    assert first.fingerprint == RandomMDP().sample(20, "train", 5).fingerprint
    others = [distribution.sample(20, "train", 6), distribution.sample(20, "test", 5)]
    for other in others:
        assert not torch.isclose(first.reward_means, other.reward_means).any()
        assert not torch.isclose(first.transitions, other.transitions).any()
    assert first.reward_means.dtype == first.transitions.dtype == torch.float64


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"states": 0}, "at least 1"),
        ({"actions": -1}, "at least 1"),
        ({"horizon": 0}, "at least 1"),
        ({"reward_noise": -1.0}, "negative"),
        ({"reward_prior_std": -0.1}, "negative"),
        ({"transition_concentration": 0.0}, "positive"),
        ({"rooms": 3}, "rooms"),
    ],
)
def test_bad_arguments_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        metarl.make("RandomMDP-v0", **arguments)


def test_an_unknown_split_gets_a_sentence():
    with pytest.raises(ValueError, match="no split 'held-out'; choose one of train, test"):
        RandomMDP().sample(3, "held-out", 0)


def test_config_builds_the_same_distribution_again():
    distribution = RandomMDP(3, 2, 4, 0.5, 2.0, 0.1, 0.7)
    again = metarl.make("RandomMDP-v0", **distribution.config())
    assert again.config() == distribution.config()
    assert again.sample(4, "test", 0).fingerprint == distribution.sample(4, "test", 0).fingerprint


def test_optimal_values_are_the_best_of_all_policies():
    distribution = RandomMDP(states=2, actions=2, horizon=3)
    tasks = distribution.sample(6, "train", 3)
    values, action_values = optimal_values(tasks.reward_means, tasks.transitions, 3)
    for i in range(6):
        rewards = tasks.reward_means[i].numpy()
        transitions = tasks.transitions[i].numpy()
        best = np.full(2, -np.inf)
        # An action for each of 3 times and 2 states
        for policy in itertools.product(range(2), repeat=6):
            value = np.zeros(2)
            for t in reversed(range(3)):
                value = np.array(
                    [
                        rewards[s, a] + transitions[s, a] @ value
                        for s, a in enumerate(policy[2 * t : 2 * t + 2])
                    ]
                )
            best = np.maximum(best, value)
        assert np.allclose(values[i, 0].numpy(), best)
    assert torch.equal(action_values.amax(-1), values[:, :3])
    assert torch.equal(values[:, 3], torch.zeros(6, 2, dtype=torch.float64))


def test_the_upper_bound_of_the_default_mdps_is_as_known():
    distribution = RandomMDP()
    bounds = distribution.upper_bound(distribution.sample(5000, "test", 0), 10)
    # 21.837 an episode, from 20,000 MDPs
    assert bounds.mean().item() == pytest.approx(218.37, abs=4 * 10 * 0.036)


def test_a_hand_made_mdp_has_its_value():
    # Action 1 leads from state 0 to state 1, where action 1 pays and leads back
    rewards = torch.tensor([[[1.0, 0.0], [0.0, 5.0]]])
    transitions = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]])
    distribution = RandomMDP(2, 2, 4)
    # 0 + 5 + 0 + 5 an episode
    assert distribution.upper_bound(RandomMDPTasks(rewards, transitions), 3).tolist() == [30.0]


@pytest.mark.parametrize(
    "name", ["reward_prior_mean", "reward_prior_std", "reward_noise", "transition_concentration"]
)
def test_settings_that_are_not_numbers_are_refused(name):
    with pytest.raises(ValueError, match="finite"):
        metarl.make("RandomMDP-v0", **{name: float("nan")})
