"""What a recurrent policy reads at a step.

Every kind of observation, the boundary between episodes, running moments.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.step import Step
from metarl.networks.inputs import StepInputs, observation_features
from tests.networks.made_steps import at, random_steps

TWO = gym.spaces.Discrete(2)


def one_step(observation, action=0, reward=0.0, terminated=False, truncated=False, start=False):
    row = torch.tensor([reward])
    return Step(
        torch.as_tensor(observation)[None],
        torch.as_tensor(action)[None],
        row,
        torch.tensor([terminated]),
        torch.tensor([truncated]),
        row,
        torch.tensor([start]),
    )


@pytest.mark.parametrize(
    ("space", "observation", "wanted"),
    [
        (gym.spaces.Discrete(1), 0, []),
        (gym.spaces.Discrete(3), 2, [0, 0, 1]),
        (gym.spaces.Discrete(3, start=-1), -1, [1, 0, 0]),
        (gym.spaces.MultiDiscrete([2, 3]), [1, 0], [0, 1, 1, 0, 0]),
        (gym.spaces.MultiDiscrete([2, 3], start=[5, -1]), [6, 1], [0, 1, 0, 0, 1]),
        (gym.spaces.MultiDiscrete([[2, 2], [2, 2]]), [[0, 1], [1, 0]], [1, 0, 0, 1, 0, 1, 1, 0]),
        (gym.spaces.MultiBinary((2, 2)), [[0, 1], [1, 1]], [0, 1, 1, 1]),
        (gym.spaces.Box(-9, 9, (2,)), [0.5, -3.0], [0.5, -3]),
        (gym.spaces.Box(-9, 9, (1, 2)), [[0.5, -3.0]], [0.5, -3]),
        (gym.spaces.Box(-9, 9, ()), 0.5, [0.5]),
    ],
)
def test_observations_become_flat_features(space, observation, wanted):
    inputs = StepInputs(space, TWO)
    features = inputs.encode(torch.as_tensor(observation)[None])
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, torch.tensor([wanted]).float())
    assert observation_features(space) == len(wanted)
    # And the previous action, the reward, the start of an episode
    assert inputs.size == len(wanted) + 2 + 2


def test_images_of_bytes_are_normalised_by_their_moments():
    space = gym.spaces.Box(0, 255, (2, 2, 3), np.uint8)
    inputs = StepInputs(space, TWO)
    steps = random_steps(space, TWO, 30, 20)
    assert steps.observation.dtype == torch.uint8
    inputs.learn_moments(steps, torch.ones(30, 20, dtype=torch.bool))
    features = inputs.encode(steps.observation)
    assert features.shape == (30, 20, 12)
    torch.testing.assert_close(features.mean((0, 1)), torch.zeros(12), rtol=0, atol=1e-4)
    torch.testing.assert_close(features.std((0, 1)), torch.ones(12), rtol=0, atol=2e-2)


@pytest.mark.parametrize("end", ["terminated", "truncated"])
def test_the_last_reward_the_end_and_the_new_start_all_arrive(end):
    inputs = StepInputs(gym.spaces.Discrete(3), TWO)
    features = inputs(one_step(2, action=1, reward=0.75, **{end: True}))
    torch.testing.assert_close(features, torch.tensor([[0, 0, 1, 0, 1, 0.75, 1]]))


def test_within_an_episode_the_start_flag_is_down():
    features = StepInputs(gym.spaces.Discrete(3), TWO)(one_step(0, action=1, reward=-1.0))
    assert features.tolist() == [[1, 0, 0, 0, 1, -1, 0]]


def test_a_meta_episodes_start_shows_nothing_of_the_past():
    inputs = StepInputs(gym.spaces.Discrete(3), TWO, previous_observation=True)
    inputs.reward_moments.update(torch.tensor([3.0, 5.0]))  # a reward of 0 isn't the mean
    features = inputs(one_step(1, start=True), torch.tensor([2]))
    assert features.tolist() == [[0, 1, 0, 0, 0, 0, 0, 0, 0, 1]]


def test_the_previous_observation_is_read_if_asked():
    inputs = StepInputs(gym.spaces.Discrete(3), TWO, previous_observation=True)
    features = inputs(one_step(1, action=0, reward=0.5), torch.tensor([2]))
    torch.testing.assert_close(features, torch.tensor([[0, 1, 0, 0, 0, 1, 1, 0, 0.5, 0]]))
    assert inputs.size == features.shape[1]


def test_moments_learn_from_what_was_played_alone():
    inputs = StepInputs(gym.spaces.Box(-9, 9, (2,)), TWO)
    steps = random_steps(gym.spaces.Box(-9, 9, (2,)), TWO, 8, 50)
    valid = torch.ones(8, 50, dtype=torch.bool)
    valid[3:, ::2] = False
    inputs.learn_moments(steps, valid)
    seen = steps.observation[valid]
    rewards = steps.prev_reward[1:][valid[1:]]
    torch.testing.assert_close(inputs.observation_moments.mean, seen.mean(0))
    torch.testing.assert_close(inputs.observation_moments.variance, seen.var(0, unbiased=False))
    # The invented 0 of a meta-episode's start isn't a reward
    torch.testing.assert_close(inputs.reward_moments.mean, rewards.mean())
    assert float(inputs.reward_moments.count) == len(rewards)


def test_the_reward_is_read_normalised():
    inputs = StepInputs(gym.spaces.Discrete(1), TWO)
    inputs.reward_moments.update(torch.tensor([3.0, 5.0]))
    torch.testing.assert_close(inputs(one_step(0, reward=5.0)), torch.tensor([[1.0, 0, 1, 0]]))


@pytest.mark.parametrize(
    "action_space",
    [
        gym.spaces.MultiDiscrete([2, 3]),
        gym.spaces.MultiBinary((2, 2)),
        gym.spaces.Box(-1, 1, (2,)),
        gym.spaces.Box(0, 1, ()),
    ],
)
def test_every_kind_of_previous_action_is_read(action_space):
    inputs = StepInputs(gym.spaces.Discrete(3), action_space)
    steps = random_steps(gym.spaces.Discrete(3), action_space)
    features = inputs(steps)
    assert features.shape == (6, 5, inputs.size)
    assert features[0, :, 3:-1].eq(0).all()
    torch.testing.assert_close(features[4], inputs(at(steps, 4)))
    torch.testing.assert_close(features[4, :, 3:-2], inputs.actions.encode(steps.prev_action[4]))


@pytest.mark.parametrize(
    "space", [gym.spaces.Text(3), gym.spaces.Dict({"a": TWO}), gym.spaces.Tuple((TWO, TWO))]
)
def test_other_spaces_get_a_sentence(space):
    with pytest.raises(
        ValueError, match="flatten them to Discrete, MultiDiscrete, MultiBinary or Box"
    ):
        StepInputs(space, TWO)
    with pytest.raises(ValueError, match="use Discrete, MultiDiscrete, MultiBinary or Box"):
        StepInputs(TWO, space)
