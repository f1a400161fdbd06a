"""What acting needs is saved with the policy.

Moments of its inputs, clipping of its actions, encoders of images.
"""

from operator import itemgetter

import numpy as np
import pytest
import torch

from metarl.core.budget import Episodes
from metarl.learners.memory.rl2 import RL2
from metarl.networks.encoders import ENCODERS
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.checkpoint import load_state, save_state
from tests.learners.made_images import Bars
from tests.learners.small_rl2 import box_tasks, every_core, play, same, small, updates

BUDGET = Episodes(3)


def through_a_file(folder, learner, other):
    """`other` with the weights of `learner`, as a file holds them."""
    save_state(folder / "weights.safetensors", learner.weights(), {})
    other.load_weights(load_state(folder / "weights.safetensors")[1])
    return other


def actions(learner, steps):
    """Return what the learner's agent does along `steps` [T, B, ...]."""
    agent = learner.agent(BUDGET)
    state = agent.initial_state(steps.prev_reward.shape[1])
    taken = []
    for t in range(len(steps.prev_reward)):
        action, state = agent.act(steps.apply(itemgetter(t)), state, torch.Generator())
        taken.append(action)
    return torch.stack(taken)


@every_core
def test_moments_of_the_inputs_are_saved_and_used(core, tmp_path):
    learner = RL2(small(core), box_tasks(), 0)
    updates(learner, 2)
    steps = play(learner).steps
    # What was never seen is normalised as what was
    steps = steps._replace(observation=3 * steps.observation + 1)
    loaded = through_a_file(tmp_path, learner, RL2(small(core), box_tasks(), 1))
    assert float(loaded.policy.inputs.observation_moments.count) > 0
    assert same(loaded.weights(), learner.weights())
    wanted = actions(learner, steps)
    assert torch.equal(actions(loaded, steps), wanted)
    loaded.policy.inputs.observation_moments.mean += 1
    assert not torch.equal(actions(loaded, steps), wanted)


@every_core
def test_a_loaded_agent_clips_its_actions(core, tmp_path):
    learner = RL2(small(core), box_tasks(), 0)
    with torch.no_grad():
        learner.policy.heads.bias[:2] = torch.tensor([50.0, -50.0])  # means far outside the box
    steps = play(learner).steps
    box = learner.distribution.action_space
    taken = actions(through_a_file(tmp_path, learner, RL2(small(core), box_tasks(), 1)), steps)
    wanted = torch.tensor(np.array([box.high[0], box.low[1]])).expand_as(taken)
    assert torch.equal(taken, wanted)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_encoders_are_saved(encoder, tmp_path):
    config = small(episodes=1, network=NetworkConfig(hidden_size=8, encoder=encoder))
    learner, other = (RL2(config, Bars(height=36, width=36), seed) for seed in (0, 1))
    updates(learner, 1)
    steps = play(learner).steps
    before = actions(other, steps)
    loaded = through_a_file(tmp_path, learner, other)
    assert same(loaded.weights(), learner.weights())
    assert torch.equal(actions(loaded, steps), actions(learner, steps))
    assert not torch.equal(actions(learner, steps), before)
