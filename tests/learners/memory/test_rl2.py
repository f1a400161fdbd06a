"""RL²: acting = training, advantages over whole meta-episodes, budgets, bad input."""

from operator import itemgetter

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.core.budget import Episodes, Steps
from metarl.core.step import Step
from metarl.core.task_distribution import fresh_tasks
from metarl.evaluation.protocol import evaluate
from metarl.learners.memory import rl2
from metarl.learners.memory.rl2 import RL2
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.policy_gradient.trajectory import Trajectory, collect
from metarl.networks.policies.policy import NetworkConfig
from tests.learners.made_tasks import Ragged
from tests.learners.small_rl2 import alone_and_together, box_tasks, every_core, play, small, updates


@every_core
@alone_and_together
@pytest.mark.parametrize("kind", [Ragged, box_tasks], ids=["unequal lengths", "boxes"])
@torch.no_grad()
def test_recomputed_log_probabilities_equal_those_of_the_rollout(core, seed, kind):
    learner = RL2(small(core), kind(), seed)
    with torch.enable_grad():
        updates(learner, 2)  # so that the normalisers have learnt, and the heads say something
    rollout = play(learner)
    output = learner.policy.sequence(rollout.steps)
    log_prob = learner.actions.log_prob(output.parameters, rollout.action)
    assert float(output.parameters.std()) > 1e-3
    torch.testing.assert_close(
        log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(
        output.value[rollout.valid], rollout.value[rollout.valid], rtol=1e-5, atol=1e-5
    )


@every_core
def test_the_previous_observation_is_the_same_in_acting_and_training(core):
    config = small(
        core, network=NetworkConfig(core=core, hidden_size=8, heads=2, previous_observation=True)
    )
    learner = RL2(config, Ragged(), 0)
    updates(learner, 2)
    rollout = play(learner)
    with torch.no_grad():
        log_prob = learner.actions.log_prob(
            learner.policy.sequence(rollout.steps).parameters, rollout.action
        )
    torch.testing.assert_close(
        log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-5, atol=1e-5
    )


@every_core
@alone_and_together
def test_the_first_pass_of_every_update_sees_the_policy_that_played(core, seed):
    learner = RL2(small(core, ppo=PPOConfig(epochs=1, minibatches=1, lr=1e-2)), box_tasks(), seed)
    for metrics in updates(learner, 3):  # the normalisers learn between updates
        assert metrics["kl"] == pytest.approx(0, abs=1e-5)
        assert metrics["clip_fraction"] == 0


@alone_and_together
def test_input_normalisers_learn_from_every_rollout_each_seeds_from_its_own(seed, monkeypatch):
    rollouts = []

    def watching(*arguments):
        rollouts.append(collect(*arguments))
        return rollouts[-1]

    monkeypatch.setattr(rl2, "collect", watching)
    learner = RL2(small(), box_tasks(), seed)
    updates(learner, 2)
    for seed_index in range(learner.num_seeds):
        own = learner.weights(seed_index)["policy"]
        columns = slice(8 * seed_index, 8 * seed_index + 8)
        seen = torch.cat(
            [rollout.steps.observation[:, columns].flatten(0, 1) for rollout in rollouts]
        )
        rewards = torch.cat(
            [rollout.steps.prev_reward[1:, columns].flatten() for rollout in rollouts]
        )
        torch.testing.assert_close(own["inputs.observation_moments.mean"], seen.mean(0))
        torch.testing.assert_close(
            own["inputs.reward_moments.variance"], rewards.var(unbiased=False)
        )


@every_core
def test_the_agent_acts_as_the_policy_that_trains(core):
    learner = RL2(small(core, act="mode"), Ragged(), 0)
    updates(learner, 2)
    rollout = play(learner)
    agent = learner.agent(Episodes(3))
    state = agent.initial_state(8)
    said = learner.policy.sequence(rollout.steps)
    for t in range(len(rollout.reward)):
        action, state = agent.act(rollout.steps.apply(itemgetter(t)), state, torch.Generator())
        assert torch.equal(action, learner.actions.mode(said.parameters[t]))


def made_rollout(learner, reward, value, end, terminated=None, truncated=None):
    """Return a rollout with these rewards, values, ends of meta-episodes and of episodes [T, B]."""
    reward, value, end = (torch.tensor(part) for part in (reward, value, end))
    shape = reward.shape
    steps = Step(*(torch.zeros(shape) for _ in Step._fields))
    zeros = torch.zeros(shape)
    flags = [
        torch.zeros(shape, dtype=torch.bool) if flag is None else torch.tensor(flag)
        for flag in (terminated, truncated)
    ]
    valid = (end.int().cumsum(0) - end.int()) == 0
    return Trajectory(
        zeros, zeros.long(), zeros, reward, flags[0], valid, flags[1], end, value, steps=steps
    )


REWARD = [[1.0, 2.0], [3.0, -1.0], [2.0, 0.0], [5.0, 0.0]]
# After an end stands what an idle row says
VALUE = [[0.5, 1.0], [1.5, -2.0], [4.0, 77.0], [2.0, -88.0]]
END = [[False, False], [False, True], [False, False], [True, False]]
YES = True
NO = False


def advantages_by_hand():
    """gamma 0.9, lambda 0.5.

    Column 0 plays four steps with an episode's end after the second, column 1 two.
    """
    delta = [1 + 0.9 * 1.5 - 0.5, 3 + 0.9 * 4 - 1.5, 2 + 0.9 * 2 - 4, 5 - 2]
    first = [0.0] * 4
    for t in reversed(range(4)):
        first[t] = delta[t] + (0.45 * first[t + 1] if t < 3 else 0)
    last = -1 - -2.0
    return torch.tensor([*first, 2 + 0.9 * -2 - 1 + 0.45 * last, last]), torch.tensor(
        [0.5, 1.5, 4.0, 2.0, 1.0, -2.0]
    )


@pytest.mark.parametrize("how", ["terminated", "truncated", "neither"])
def test_returns_go_on_over_ends_of_episodes_and_stop_at_the_meta_episodes(how):
    learner = RL2(
        small(num_envs=2, ppo=PPOConfig(discount=0.9, gae_lambda=0.5, minibatches=1)), Ragged(), 0
    )
    within = [[NO, NO], [YES, NO], [NO, NO], [NO, NO]]
    flags = {how: within} if how != "neither" else {}
    batch = learner.batch(made_rollout(learner, REWARD, VALUE, END, **flags))
    wanted, value = advantages_by_hand()
    valid = batch.valid.T
    assert valid.tolist() == [[YES] * 4, [YES, YES, NO, NO]]
    torch.testing.assert_close(
        batch.advantage.T[valid], (wanted - wanted.mean()) / wanted.std(unbiased=False)
    )
    assert batch.advantage.T[~valid].eq(0).all()
    target = learner.returns.denormalise(batch.target.unflatten(1, (1, 2))).flatten(1)
    torch.testing.assert_close(target.T[valid], wanted + value)


def test_values_are_read_as_the_normaliser_stood_when_they_were_put_out():
    learner = RL2(
        small(num_envs=2, ppo=PPOConfig(discount=0.9, gae_lambda=0.5, minibatches=1)), Ragged(), 0
    )
    learner.returns.mean[:4, 0] = torch.tensor([3.0, 2.0, 1.0, 0.5])
    learner.returns.scale[:] = 2.0
    learner.returns.started.fill_(True)
    normalised = (torch.tensor(VALUE) - torch.tensor([3.0, 2.0, 1.0, 0.5])[:, None]) / 2
    batch = learner.batch(made_rollout(learner, REWARD, normalised.tolist(), END))
    wanted, value = advantages_by_hand()
    torch.testing.assert_close(
        batch.advantage.T[batch.valid.T], (wanted - wanted.mean()) / wanted.std(unbiased=False)
    )
    # Written as it stands now
    target = learner.returns.denormalise(batch.target.unflatten(1, (1, 2))).flatten(1)
    torch.testing.assert_close(target.T[batch.valid.T], wanted + value)


def test_seeds_normalise_advantages_apart():
    learner = RL2(
        small(num_envs=2, ppo=PPOConfig(discount=0.9, gae_lambda=0.5, minibatches=1)),
        Ragged(),
        (0, 1),
    )
    double = (
        [[2 * entry for entry in row] for row in REWARD],
        [[2 * entry for entry in row] for row in VALUE],
    )
    joined = (
        [a + b for a, b in zip(one, two, strict=True)]
        for one, two in zip((REWARD, VALUE, END), (*double, END), strict=True)
    )
    batch = learner.batch(made_rollout(learner, *joined))
    wanted, _ = advantages_by_hand()
    for seed_index in (batch.advantage[:, :2], batch.advantage[:, 2:]):
        torch.testing.assert_close(
            seed_index.T[batch.valid[:, :2].T],
            (wanted - wanted.mean()) / wanted.std(unbiased=False),
        )
    torch.testing.assert_close(batch.target[:, 2:], batch.target[:, :2])


def test_unequal_lengths_count_as_played():
    learner = RL2(small(num_envs=64), Ragged(), 0)
    rollout = play(learner, first=0)
    lengths = rollout.valid.sum(0)
    assert len(lengths.unique()) > 5
    batch = learner.batch(rollout)
    for column, length in enumerate(lengths.tolist()):
        reward = rollout.reward[:length, column]
        with torch.no_grad():
            value = learner.returns.denormalise(batch.target.unflatten(1, (1, -1)))[
                length - 1, 0, column
            ]
        # After the last step nothing follows
        assert float(value) == pytest.approx(float(reward[-1]), abs=1e-4)
    assert float(batch.advantage[batch.valid].mean()) == pytest.approx(0, abs=1e-5)
    assert float(batch.advantage[batch.valid].std(unbiased=False)) == pytest.approx(1, abs=1e-4)


def test_metrics_count_steps_and_returns_as_played():
    config = small(num_envs=16)
    distribution = Ragged(chance=1.0)
    learner = RL2(config, distribution, (3, 4))
    metrics = updates(learner, 2)[-1]
    assert metrics["steps"] == 2 * 2 * 16 * 3  # updates, seeds, rows, episodes of one step
    assert metrics["iteration"] == 2
    assert metrics["return"] == pytest.approx((metrics["return_3"] + metrics["return_4"]) / 2)
    assert 0 < metrics["return"] < 4.5  # at most three steps of at most 1.5
    assert 0 < metrics["entropy"] <= np.log(2) + 1e-6


@every_core
@pytest.mark.parametrize(
    "budget", [Episodes(3), Episodes(2, after=1), Episodes(1), Steps(15), Steps(4)]
)
def test_agents_play_within_what_they_were_trained_for(core, budget):
    learner = RL2(small(core), Ragged(), 0)  # three episodes of at most five steps
    updates(learner, 1)
    rows = evaluate(learner.agent(budget), Ragged(), "test", 10, 0, budget).rows()
    assert set(rows.task) == set(range(10))
    if isinstance(budget, Steps):
        assert rows.groupby("task").length.sum().eq(budget.total).all()


@pytest.mark.parametrize("budget", [Episodes(3, after=1), Steps(16)])
def test_an_attention_core_refuses_more_steps_than_it_remembers(budget):
    attention = RL2(small("attention"), Ragged(), 0)
    gru = RL2(small(), Ragged(), 0)
    with pytest.raises(
        ValueError,
        match=r"remembers 15 steps and can't act for (20|16); train it with more episodes",
    ):
        attention.agent(budget)
    evaluate(gru.agent(budget), Ragged(), "test", 4, 0, budget)


def test_mode_takes_the_likeliest_action_and_sample_draws():
    budget = Episodes(3)
    for act, fixed in (("mode", True), ("sample", False)):
        agent = RL2(small(act=act), box_tasks(), 0).agent(budget)
        step = RL2(small(), box_tasks(), 0).env.reset(fresh_tasks(box_tasks(), "train", 8, 0))
        first, second = (
            agent.act(step, agent.initial_state(8), torch.Generator().manual_seed(seed))[0]
            for seed in (1, 2)
        )
        assert torch.equal(first, second) == fixed
        assert torch.equal(agent.actions.to_environment(first), first)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"episodes": 0}, "episodes, num_envs and iterations must be at least 1"),
        ({"episodes": -3}, "must be at least 1"),
        ({"num_envs": 0}, "must be at least 1"),
        ({"iterations": 0}, "must be at least 1"),
        ({"act": "argmax"}, "act must be 'sample' or 'mode', not 'argmax'"),
        (
            {"num_envs": 3, "ppo": PPOConfig(minibatches=4)},
            r"num_envs \(3\) must be at least the number of minibatches \(4\)",
        ),
    ],
)
def test_bad_settings_get_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        small(**settings)


@pytest.mark.parametrize("seed", [(), (1, 1), [1, 1], "1", 1.5, (0, "a")])
def test_bad_seeds_get_a_sentence(seed):
    with pytest.raises(
        ValueError,
        match=(
            r"Give an integer as seed, or a tuple of integers that differ|seed must be a whole"
            r" number, not"
        ),
    ):
        RL2(small(), Ragged(), seed)


def test_an_unknown_seed_gets_a_sentence():
    learner = RL2(small(), Ragged(), (0, 1))
    for ask in (learner.weights, lambda seed_index: learner.agent(Episodes(3), seed_index)):
        for seed_index in (2, -1):
            with pytest.raises(
                ValueError, match=f"no seed number {seed_index}; this learner trains 2"
            ):
                ask(seed_index)


def test_spaces_that_do_not_fit_get_a_sentence():
    class Text(Ragged):
        observation_space = gym.spaces.Text(3)

    with pytest.raises(ValueError, match="flatten"):
        RL2(small(), Text(), 0)


gpu = pytest.mark.gpu
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@gpu
@needs_cuda
@every_core
@alone_and_together
def test_on_a_gpu_acting_is_training_and_states_go_both_ways(core, seed):
    learner = RL2(small(core), Ragged(), seed, device="cuda")
    metrics = updates(learner, 2)
    assert all(np.isfinite(value) for each in metrics for value in each.values())
    source = fresh_tasks(learner.distribution, "train", learner.env.num_envs, 0, first=50)
    rollout = collect(
        learner.env, learner.policy, learner.actions, source, torch.Generator("cuda").manual_seed(1)
    )
    with torch.no_grad():
        log_prob = learner.actions.log_prob(
            learner.policy.sequence(rollout.steps).parameters, rollout.action
        )
    torch.testing.assert_close(
        log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-4, atol=1e-4
    )
    resumed = RL2(small(core), Ragged(), seed, device="cuda")
    resumed.load_state_dict(learner.state_dict())
    assert resumed.update()["steps"] == pytest.approx(learner.update()["steps"], rel=0.2)
    on_cpu = RL2(small(core), Ragged(), seed)
    on_cpu.load_weights(learner.weights())
    budget = Episodes(3)
    evaluate(on_cpu.agent(budget), Ragged(), "test", 8, 0, budget)
    evaluate(learner.agent(budget), Ragged(), "test", 8, 0, budget, device="cuda")


@gpu
@needs_cuda
def test_on_a_gpu_it_learns():
    identity = metarl.make("Identity-v0", numbers=3, horizon=4)
    learner = RL2(small(episodes=1, num_envs=128, iterations=60), identity, 0, device="cuda")
    updates(learner, 60)
    budget = Episodes(1)
    assert (
        evaluate(learner.agent(budget), identity, "test", 256, 0, budget, device="cuda")
        .scores()
        .mean()
        > 0.9 * 4
    )


def test_the_first_update_has_a_baseline():
    learner = RL2(small(), metarl.make("BernoulliBandit-v0", arms=2))
    rollout = play(learner)
    learner.learn_first_baseline(rollout)
    discounts = learner.config.ppo.discount ** torch.arange(3.0)
    returns = torch.stack(
        [(discounts[: 3 - t, None] * rollout.reward[t:]).sum(0) for t in range(3)]
    )
    torch.testing.assert_close(learner.returns.mean[:, 0], returns.mean(1))
    torch.testing.assert_close(
        learner.returns.denormalise(torch.zeros(3, 1, 8)),
        returns.mean(1)[:, None, None].expand(3, 1, 8),
    )


def test_pair_memories_know_how_long_they_play():
    learner = RL2(small("per_pair_memory", episodes=3), metarl.make("BernoulliBandit-v0", arms=2))
    updates(learner, 1)
    short, long = (learner.agent(Episodes(n)) for n in (3, 30))
    assert (short.policy.max_steps, long.policy.max_steps, learner.policy.max_steps) == (3, 30, 3)
    step = play(learner).steps.apply(itemgetter(0))
    said = [agent.policy(step, agent.initial_state(8))[0].value for agent in (short, long)]
    assert not torch.equal(*said)
