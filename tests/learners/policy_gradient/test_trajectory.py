"""Trajectories: what is stored is what was seen, drawn and paid; unequal lengths; determinism."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.budget import Episodes, Steps
from metarl.core.errors import PlugInError
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.policy_gradient.trajectory import collect
from metarl.networks.actions import action_distribution
from metarl.networks.policies.policy import NetworkConfig, Policy, PolicyOutput
from tests.learners.made_tasks import Matching, Ragged

ROWS = 40
EPISODES = 3


class Watching:
    """A policy that keeps every step it was shown and counts its calls in its memory.

    It draws all actions alike.
    """

    def __init__(self, num_parameters):
        self.num_parameters = num_parameters
        self.shown = []
        self.states = []

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, dtype=torch.int64)

    def __call__(self, step, state):
        self.shown.append(step)
        self.states.append(state)
        rows = len(step.prev_reward)
        return (
            PolicyOutput(torch.zeros(rows, self.num_parameters), state.to(torch.float32)),
            state + 1,
        )


def rollout_of(distribution, policy=None, budget=Episodes(EPISODES), rows=ROWS, seed=0):
    actions = action_distribution(distribution.action_space)
    env = MetaEpisodeEnv(
        distribution, budget, rows, torch.Generator().manual_seed(seed), refill=False
    )
    policy = Watching(actions.num_parameters) if policy is None else policy
    source = fresh_tasks(distribution, "train", rows, seed)
    return collect(env, policy, actions, source, torch.Generator().manual_seed(seed + 1)), policy


def test_the_policy_saw_what_is_stored_and_its_state_went_round():
    rollout, policy = rollout_of(Ragged())
    assert len(policy.shown) == len(rollout.reward)
    for t, step in enumerate(policy.shown):
        for name in (
            "observation",
            "prev_action",
            "prev_reward",
            "prev_terminated",
            "prev_truncated",
            "meta_episode_start",
        ):
            assert torch.equal(getattr(rollout.steps, name)[t], getattr(step, name)), name
    assert [int(state[0]) for state in policy.states] == list(range(len(policy.shown)))
    assert torch.equal(rollout.value[:, 0], torch.arange(len(policy.shown)).float())


def test_every_step_shows_what_the_one_before_brought():
    rollout, _ = rollout_of(Ragged())
    steps = rollout.steps
    played = rollout.valid[1:]
    for shown, brought in (
        (steps.prev_action, rollout.action),
        (steps.prev_reward, rollout.reward),
        (steps.prev_terminated, rollout.terminated),
        (steps.prev_truncated, rollout.truncated),
    ):
        assert torch.equal(shown[1:][played], brought[:-1][played])
        assert shown[0].eq(0).all()
    assert steps.meta_episode_start[0].all()
    assert not steps.meta_episode_start[1:].any()
    ended = (steps.prev_terminated | steps.prev_truncated) & rollout.valid
    # A new episode's first observation, not the last one's end
    assert steps.observation[ended].eq(0).all()
    inside = rollout.valid & ~steps.episode_start
    assert steps.observation[inside].gt(0).all()


def test_every_row_plays_its_episodes_and_no_more():
    rollout, _ = rollout_of(Ragged())
    ended = rollout.terminated | rollout.truncated
    assert rollout.terminated.any()
    assert rollout.truncated.any()
    assert not (rollout.terminated & rollout.truncated).any()
    assert ended.sum(0).eq(EPISODES).all()
    assert rollout.meta_episode_end.sum(0).eq(1).all()
    lengths = rollout.meta_episode_end.int().argmax(0) + 1
    assert len(lengths.unique()) > 3
    assert torch.equal(rollout.valid, torch.arange(len(rollout.valid))[:, None] < lengths)
    after = ~rollout.valid
    assert not (ended & after).any()
    assert rollout.reward[after].eq(0).all()


def test_rewards_are_those_of_the_actions():
    distribution = Ragged()
    rollout, _ = rollout_of(distribution)
    tasks = fresh_tasks(distribution, "train", ROWS, 0)(
        torch.arange(ROWS), torch.zeros(ROWS, dtype=torch.int64)
    )
    torch.testing.assert_close(rollout.reward, (rollout.action * tasks.pay.float() * rollout.valid))


def test_log_probabilities_are_of_the_actions_drawn():
    distribution = Ragged()
    actions = action_distribution(distribution.action_space)
    policy = Policy(
        distribution.observation_space,
        distribution.action_space,
        NetworkConfig(hidden_size=8),
        15,
        torch.Generator().manual_seed(3),
    )
    rollout, _ = rollout_of(distribution, policy)
    said = policy.sequence(rollout.steps)
    torch.testing.assert_close(rollout.log_prob, actions.log_prob(said.parameters, rollout.action))
    assert not rollout.log_prob.requires_grad


def test_actions_are_stored_as_drawn_and_clipped_on_the_way_out():
    # It checks that actions lie in the box
    distribution = Matching(gym.spaces.Box(np.float32([0, -1]), np.float32([4, 1])))
    rollout, policy = rollout_of(distribution)
    outside = (rollout.action - torch.tensor([2.0, 0.0])).abs() > torch.tensor([2.0, 1.0])
    assert 0.2 < float(outside.float().mean()) < 0.45  # |N(0, 1)| > 1: 0.317
    clipped = action_distribution(distribution.action_space).to_environment(rollout.action)
    assert torch.equal(rollout.steps.prev_action[1:], clipped[:-1])
    assert torch.equal(policy.shown[1].prev_action, clipped[0])


def test_a_rollout_stops_soon_after_its_last_row():
    rollout, _ = rollout_of(Ragged(horizon=50, chance=1.0))
    assert EPISODES <= len(rollout.reward) < 3 * 16
    assert rollout.valid.sum(0).eq(EPISODES).all()


def test_the_longest_row_is_played_to_its_end():
    rollout, _ = rollout_of(Ragged(horizon=6, chance=0.0))
    assert len(rollout.reward) == 6 * EPISODES
    assert rollout.valid.all()
    assert rollout.truncated.sum(0).eq(EPISODES).all()
    assert rollout.meta_episode_end[-1].all()


def test_a_step_budget_cuts_the_last_episode():
    rollout, _ = rollout_of(Ragged(horizon=5, chance=0.0), budget=Steps(7))
    assert len(rollout.reward) == 7
    assert rollout.truncated.nonzero()[:, 0].unique().tolist() == [4, 6]
    assert rollout.meta_episode_end[-1].all()


def test_the_same_generators_give_the_same_rollout():
    first, again, other = (rollout_of(Ragged(), seed=seed)[0] for seed in (1, 1, 2))
    for ours, theirs in zip(first[:-1], again[:-1], strict=True):
        assert ours is theirs is None or torch.equal(ours, theirs)
    assert first.action.shape != other.action.shape or not torch.equal(first.action, other.action)


def test_a_reward_that_is_not_a_number_is_named():
    class Broken(Ragged):
        def step(self, tasks, state, action, rng):
            transition = super().step(tasks, state, action, rng)
            return transition._replace(
                reward=torch.where(state == 3, float("nan"), transition.reward)
            )

    with pytest.raises(PlugInError, match="not finite"):
        rollout_of(Broken(chance=0.0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_rollouts_keep_the_same_rules():
    distribution = Ragged()
    actions = action_distribution(distribution.action_space)
    rng = torch.Generator("cuda").manual_seed(0)
    env = MetaEpisodeEnv(distribution, Episodes(EPISODES), ROWS, rng, refill=False)
    policy = Policy(
        distribution.observation_space,
        distribution.action_space,
        NetworkConfig(hidden_size=8),
        15,
        torch.Generator(),
    ).cuda()
    rollout = collect(env, policy, actions, fresh_tasks(distribution, "train", ROWS, 0), rng)
    assert rollout.reward.device.type == "cuda"
    assert (rollout.terminated | rollout.truncated).sum(0).eq(EPISODES).all()
    played = rollout.valid[1:]
    assert torch.equal(rollout.steps.prev_reward[1:][played], rollout.reward[:-1][played])


def test_what_each_rows_last_step_showed_is_kept_where_it_is_asked_for():
    distribution = Ragged()
    actions = action_distribution(distribution.action_space)
    budget = Episodes(1)
    env = MetaEpisodeEnv(distribution, budget, ROWS, torch.Generator().manual_seed(0), refill=False)
    policy = Watching(actions.num_parameters)
    source = fresh_tasks(distribution, "train", ROWS, 0)
    rollout = collect(
        env, policy, actions, source, torch.Generator().manual_seed(1), final_observations=True
    )
    again = MetaEpisodeEnv(
        distribution, budget, ROWS, torch.Generator().manual_seed(0), refill=False
    )
    again.reset(source)
    for t in range(len(rollout.action)):
        _, outcome = again.step(actions.to_environment(rollout.action[t]))
        last = outcome.meta_episode_end & outcome.valid
        assert torch.equal(rollout.final_observation[last], outcome.final_observation[last])
    assert rollout.meta_episode_end.any(0).all()
    assert rollout_of(distribution)[0].final_observation is None
