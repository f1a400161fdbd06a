"""PPO on single episodes.

What it makes of ends, that acting equals training, that it resumes, that it learns.
"""

import pytest
import torch

from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.core.step import Outcome, Step
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.policy_gradient import online_ppo
from metarl.learners.policy_gradient.online_ppo import OnlinePPO, OnlinePPOConfig
from metarl.learners.policy_gradient.ppo import PPOConfig, ppo_update
from metarl.tasks.control.cart_pole import CartPole
from metarl.tasks.mdps.identity import Identity

PPO = PPOConfig(discount=0.5, gae_lambda=1.0, epochs=1, minibatches=1, lr=1e-2, lr_end=1e-2)
TASKS = Identity(3, 4)


def learner(rows=1, tasks=TASKS, seed=0, **settings):
    return OnlinePPO(
        OnlinePPOConfig(**{"rollout_steps": 4, "ppo": PPO} | settings),
        tasks.observation_space,
        tasks.action_space,
        rows,
        seed,
    )


def a_step(observation=0, reward=0.0, terminated=False, truncated=False, final=0):
    no = torch.tensor([False])
    flags = [torch.tensor([terminated]), torch.tensor([truncated])]
    return Step(
        torch.tensor([observation]),
        torch.tensor([0]),
        torch.tensor([reward]),
        *flags,
        torch.tensor([final]),
        no,
    )


def test_targets_stop_at_ends_and_count_what_a_truncated_episode_promises(monkeypatch):
    ppo = learner(tasks=Identity(5, 4))
    seen = []
    monkeypatch.setattr(
        online_ppo,
        "ppo_update",
        lambda *arguments: seen.append(arguments[3]) or ppo_update(*arguments),
    )
    monkeypatch.setattr(ppo, "policy", values := Values(ppo.policy))
    ends = [{}, {"terminated": True}, {"truncated": True, "final": 3}, {}]
    ppo.choose(a_step(0))
    for t, end in enumerate(ends):
        ppo.learn(after := a_step(t + 1, reward=float(t + 1), **end))
        if t < 3:
            ppo.choose(after)
    value = values.of
    wanted = [1 + 0.5 * 2, 2, 3 + 0.5 * value(3), 4 + 0.5 * value(4)]
    assert torch.allclose(seen[0].target[0], torch.tensor(wanted))
    assert seen[0].advantage.mean().abs() < 1e-6
    assert seen[0].steps.tolist() == [[0, 1, 2, 3]]


class Values(torch.nn.Module):
    """A policy whose values are ten times the observation plus one."""

    def __init__(self, policy):
        super().__init__()
        self.policy = policy
        self.inputs = policy.inputs

    @staticmethod
    def of(observation):
        return observation * 10.0 + 1

    def sequence(self, observations):
        return self.policy(observations)._replace(
            value=self.of(observations.to(torch.float32)) + 0 * self.policy(observations).value
        )

    forward = sequence


def test_rewards_and_ends_come_from_the_outcome_where_a_row_has_begun_another_task():
    ppo = learner(reward_scale=0.5)
    ppo.choose(a_step())
    yes = torch.tensor([True])
    no = torch.tensor([False])
    reward = torch.tensor([3.0])
    outcome = Outcome(
        reward, yes, no, torch.tensor([0]), no, *[torch.tensor([0])] * 2, yes, yes, reward
    )
    ppo.learn(a_step()._replace(meta_episode_start=yes), outcome)
    assert ppo._trajectory.reward[0].tolist() == [1.5]
    assert ppo._trajectory.terminated[0].tolist() == [True]
    ppo.learn(a_step(reward=9.0))  # nothing was chosen: nothing is noted
    assert ppo.t == 1


def played(ppo, tasks, rows, steps, seed=3):
    env = MetaEpisodeEnv(tasks, Episodes(1, 0), rows, torch_generator(seed))
    step = env.reset(fresh_tasks(tasks, "train", rows, seed))
    returns = []
    running = torch.zeros(rows)
    for _ in range(steps):
        step, outcome = env.step(ppo.choose(step))
        ppo.learn(step, outcome)
        running += outcome.reward
        returns += running[outcome.meta_episode_end].tolist()
        running[outcome.meta_episode_end] = 0
    return returns


def test_what_is_trained_on_is_what_was_acted_on(monkeypatch):
    ppo = learner(rows=3, tasks=CartPole())
    errors = []

    def check(policy, optimizer, actions, batch, *rest):
        output = policy.sequence(batch.steps)
        errors.append(
            (actions.log_prob(output.parameters, batch.action) - batch.log_prob).abs().max().item()
        )
        return ppo_update(policy, optimizer, actions, batch, *rest)

    monkeypatch.setattr(online_ppo, "ppo_update", check)
    played(ppo, CartPole(), 3, 20)
    assert len(errors) == 5
    assert max(errors) < 1e-5


def test_a_rollout_goes_on_where_it_stood():
    one = learner(rows=2, seed=1)
    two = learner(rows=2, seed=2)
    played(one, TASKS, 2, 6)  # one update, and half a rollout
    two.load_state_dict(one.state_dict())
    for ppo in (one, two):
        played(ppo, TASKS, 2, 6, seed=4)
    assert (
        one.metrics().keys()
        == two.metrics().keys()
        == {"policy_loss", "value_loss", "entropy", "kl", "clip_fraction", "grad_norm"}
    )
    for name, weight in one.weights()["policy"].items():
        assert torch.equal(weight, two.weights()["policy"][name]), name


def test_metrics_are_means_since_the_last_call():
    ppo = learner()
    assert ppo.metrics() == {}
    played(ppo, TASKS, 1, 8)
    assert len(ppo._measured) == 2
    assert ppo.metrics()["entropy"] > 0
    assert ppo.metrics() == {}


def test_it_learns_to_balance_a_pole():
    tasks = CartPole(low=1, high=1, friction=0, reversals=False)
    settings = PPOConfig(gae_lambda=0.95, epochs=6, lr=3e-3, entropy_coef=0.0)
    ppo = learner(rows=16, tasks=tasks, rollout_steps=64, reward_scale=0.05, ppo=settings)
    returns = played(ppo, tasks, 16, 64 * 35)
    assert sum(returns[:50]) / 50 < 40
    assert sum(returns[-50:]) / 50 > 150


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"rollout_steps": 0}, "rollout_steps"),
        ({"reward_scale": 0.0}, "reward_scale"),
        ({"act": "dream"}, "'sample' or 'mode'"),
    ],
)
def test_bad_settings(settings, problem):
    with pytest.raises(ValueError, match=problem):
        OnlinePPOConfig(**settings)


def test_fewer_steps_than_minibatches():
    with pytest.raises(ValueError, match="1 x 3 steps between updates can't make 4 minibatches"):
        learner(rows=3, rollout_steps=1, ppo=PPOConfig(minibatches=4))
