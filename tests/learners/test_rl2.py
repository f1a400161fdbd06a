"""RL²: acting = training, advantages over whole meta-episodes, determinism, members, budgets, bad input, a user's own policy."""

import random

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn

import metarl
from metarl.envs.budget import Episodes, Steps
from metarl.envs.meta_episode import Step
from metarl.evaluation.protocol import evaluate
from metarl.learners.ppo import PPOConfig
from metarl.learners.rl2 import RL2, RL2Config
from metarl.networks.policy import CORES, NetworkConfig, PolicyOutput, unroll
from metarl.rollout import Rollout, collect
from metarl.tasks.contract import fresh_tasks
from tests.learners.made_tasks import Matching, Ragged

SEEDS = [0, (0, 1, 2)]
every_core = pytest.mark.parametrize("core", CORES)
alone_and_together = pytest.mark.parametrize("seed", SEEDS, ids=["alone", "together"])


def small(core="gru", episodes=3, num_envs=8, iterations=20, **settings):
    settings = {"ppo": PPOConfig(epochs=2, minibatches=2, lr=1e-2), "network": NetworkConfig(core=core, units=8, heads=2), **settings}
    return RL2Config(episodes, num_envs, iterations, **settings)


def box_tasks():
    return Matching(gym.spaces.Box(np.float32([0, -1]), np.float32([4, 1])))


def play(learner, first=50):
    """A rollout of the learner's policy as it is now."""
    source = fresh_tasks(learner.distribution, "train", learner.env.num_envs, 0, first=first)
    return collect(learner.env, learner.policy, learner.actions, source, torch.Generator().manual_seed(1))


def updates(learner, count):
    return [learner.update() for _ in range(count)]


def same(first, second):
    """Whether nested dicts of tensors and numbers are equal bit for bit."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[name], second[name]) for name in first)
    return torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second


# ---- acting = training


@every_core
@alone_and_together
@pytest.mark.parametrize("kind", [Ragged, box_tasks], ids=["unequal lengths", "boxes"])
@torch.no_grad()
def test_recomputed_log_probabilities_equal_those_of_the_rollout(core, seed, kind):
    learner = RL2(small(core), kind(), seed)
    with torch.enable_grad():
        updates(learner, 2)  # so that the normalisers have learnt, and the heads say something
    rollout = play(learner)
    output = unroll(learner.policy, rollout.steps)
    log_prob = learner.actions.log_prob(output.parameters, rollout.action)
    assert float(output.parameters.std()) > 1e-3
    torch.testing.assert_close(log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.value[rollout.valid], rollout.value[rollout.valid], rtol=1e-5, atol=1e-5)


@every_core
def test_the_previous_observation_is_the_same_in_acting_and_training(core):
    config = small(core, network=NetworkConfig(core=core, units=8, heads=2, previous_observation=True))
    learner = RL2(config, Ragged(), 0)
    updates(learner, 2)
    rollout = play(learner)
    with torch.no_grad():
        log_prob = learner.actions.log_prob(unroll(learner.policy, rollout.steps).parameters, rollout.action)
    torch.testing.assert_close(log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-5, atol=1e-5)


@every_core
def test_the_agent_acts_as_the_policy_that_trains(core):
    learner = RL2(small(core, act="mode"), Ragged(), 0)
    updates(learner, 2)
    rollout = play(learner)
    agent = learner.agent(Episodes(3, after=0))
    state = agent.initial_state(8)
    for t in range(len(rollout.reward)):
        action, state = agent.act(Step(*(field[t] for field in rollout.steps)), state, torch.Generator())
        assert torch.equal(action, learner.actions.mode(rollout.parameters[t]))


# ---- advantages


def made_rollout(learner, reward, value, end, terminated=None, truncated=None):
    """A rollout with these rewards, values, ends of meta-episodes and of episodes [T, B]."""
    reward, value, end = (torch.tensor(part) for part in (reward, value, end))
    shape = reward.shape
    steps = Step(*(torch.zeros(shape) for _ in Step._fields))
    zeros = torch.zeros(shape)
    flags = [torch.zeros(shape, dtype=torch.bool) if flag is None else torch.tensor(flag) for flag in (terminated, truncated)]
    valid = (end.int().cumsum(0) - end.int()) == 0
    return Rollout(steps, zeros.long(), zeros, zeros, value, reward, *flags, end, valid)


REWARD = [[1.0, 2.0], [3.0, -1.0], [2.0, 0.0], [5.0, 0.0]]
VALUE = [[0.5, 1.0], [1.5, -2.0], [4.0, 77.0], [2.0, -88.0]]  # after an end stands what an idle row says
END = [[False, False], [False, True], [False, False], [True, False]]
YES, NO = True, False


def advantages_by_hand():
    """gamma 0.9, lambda 0.5. Column 0 plays four steps with an episode's end after the second, column 1 two."""
    delta = [1 + 0.9 * 1.5 - 0.5, 3 + 0.9 * 4 - 1.5, 2 + 0.9 * 2 - 4, 5 - 2]
    first = [0.0] * 4
    for t in reversed(range(4)):
        first[t] = delta[t] + (0.45 * first[t + 1] if t < 3 else 0)
    last = -1 - -2.0
    return torch.tensor([*first, 2 + 0.9 * -2 - 1 + 0.45 * last, last]), torch.tensor([0.5, 1.5, 4.0, 2.0, 1.0, -2.0])


@pytest.mark.parametrize("how", ["terminated", "truncated", "neither"])
def test_returns_go_on_over_ends_of_episodes_and_stop_at_the_meta_episodes(how):
    learner = RL2(small(num_envs=2, ppo=PPOConfig(discount=0.9, gae_lambda=0.5, minibatches=1)), Ragged(), 0)
    within = [[NO, NO], [YES, NO], [NO, NO], [NO, NO]]
    flags = {how: within} if how != "neither" else {}
    batch = learner.batch(made_rollout(learner, REWARD, VALUE, END, **flags))
    wanted, value = advantages_by_hand()
    valid = batch.valid.T
    assert valid.tolist() == [[YES] * 4, [YES, YES, NO, NO]]
    torch.testing.assert_close(batch.advantage.T[valid], (wanted - wanted.mean()) / wanted.std(unbiased=False))
    assert batch.advantage.T[~valid].eq(0).all()
    target = learner.returns.denormalise(batch.target.unflatten(1, (1, 2))).flatten(1)
    torch.testing.assert_close(target.T[valid], wanted + value)


def test_values_are_read_as_the_normaliser_stood_when_they_were_put_out():
    learner = RL2(small(num_envs=2, ppo=PPOConfig(discount=0.9, gae_lambda=0.5, minibatches=1)), Ragged(), 0)
    learner.returns.mean[:4, 0] = torch.tensor([3.0, 2.0, 1.0, 0.5])
    learner.returns.scale[:] = 2.0
    learner.returns.started.fill_(True)
    normalised = (torch.tensor(VALUE) - torch.tensor([3.0, 2.0, 1.0, 0.5])[:, None]) / 2
    batch = learner.batch(made_rollout(learner, REWARD, normalised.tolist(), END))
    wanted, value = advantages_by_hand()
    torch.testing.assert_close(batch.advantage.T[batch.valid.T], (wanted - wanted.mean()) / wanted.std(unbiased=False))
    target = learner.returns.denormalise(batch.target.unflatten(1, (1, 2))).flatten(1)  # written as it stands now
    torch.testing.assert_close(target.T[batch.valid.T], wanted + value)


def test_members_normalise_advantages_apart():
    learner = RL2(small(num_envs=2, ppo=PPOConfig(discount=0.9, gae_lambda=0.5, minibatches=1)), Ragged(), (0, 1))
    double = [[2 * entry for entry in row] for row in REWARD], [[2 * entry for entry in row] for row in VALUE]
    joined = ([a + b for a, b in zip(one, two, strict=True)] for one, two in zip((REWARD, VALUE, END), (*double, END), strict=True))
    batch = learner.batch(made_rollout(learner, *joined))
    wanted, _ = advantages_by_hand()
    for member in (batch.advantage[:, :2], batch.advantage[:, 2:]):
        torch.testing.assert_close(member.T[batch.valid[:, :2].T], (wanted - wanted.mean()) / wanted.std(unbiased=False))
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
            value = learner.returns.denormalise(batch.target.unflatten(1, (1, -1)))[length - 1, 0, column]
        assert float(value) == pytest.approx(float(reward[-1]), abs=1e-4)  # after the last step nothing follows
    assert float(batch.advantage[batch.valid].mean()) == pytest.approx(0, abs=1e-5)
    assert float(batch.advantage[batch.valid].std(unbiased=False)) == pytest.approx(1, abs=1e-4)


def test_metrics_count_steps_and_returns_as_played():
    config, distribution = small(num_envs=16), Ragged(chance=1.0)
    learner = RL2(config, distribution, (3, 4))
    metrics = updates(learner, 2)[-1]
    assert metrics["steps"] == 2 * 2 * 16 * 3  # updates, members, rows, episodes of one step
    assert metrics["iteration"] == 2
    assert metrics["return"] == pytest.approx((metrics["return_3"] + metrics["return_4"]) / 2)
    assert 0 < metrics["return"] < 4.5  # at most three steps of at most 1.5
    assert 0 < metrics["entropy"] <= np.log(2) + 1e-6


# ---- determinism and resuming


@every_core
@alone_and_together
def test_the_same_seed_is_bit_identical_and_another_one_is_not(core, seed):
    others = 7 if seed == 0 else (0, 1, 7)
    first, again, other = (RL2(small(core), Ragged(), each) for each in (seed, seed, others))
    history = updates(first, 2)
    updates(other, 1)  # in between: nothing is shared
    assert updates(again, 2) == history
    assert same(first.state_dict(), again.state_dict())
    assert not same(RL2(small(core), Ragged(), others).weights(), RL2(small(core), Ragged(), seed).weights()) or seed != 0
    assert updates(RL2(small(core), Ragged(), others), 2) != history


@every_core
@alone_and_together
@pytest.mark.parametrize("before", [0, 2])
def test_a_resumed_learner_goes_on_bit_for_bit(core, seed, before):
    learner = RL2(small(core), box_tasks(), seed)
    updates(learner, before)
    state = learner.state_dict()
    wanted = updates(learner, 2)
    resumed = RL2(small(core), box_tasks(), seed)
    updates(resumed, 1)  # whatever it was before
    resumed.load_state_dict(state)
    assert updates(resumed, 2) == wanted
    assert same(resumed.state_dict(), learner.state_dict())
    assert resumed.finished == learner.finished


def test_a_state_is_a_copy():
    learner = RL2(small(), Ragged(), 0)
    updates(learner, 1)
    state = learner.state_dict()
    kept = {"policy": {name: tensor.clone() for name, tensor in state["policy"].items()}}
    moments = state["optimizer"]["0"]["exp_avg"].clone()
    updates(learner, 1)
    assert same(kept["policy"], state["policy"])
    assert torch.equal(moments, state["optimizer"]["0"]["exp_avg"])


def test_iterations_end():
    learner = RL2(small(iterations=2), Ragged(), 0)
    updates(learner, 1)
    assert not learner.finished
    updates(learner, 1)
    assert learner.finished


class Watched(Ragged):
    """Remembers what was sampled."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def sample(self, n, split, seed):
        self.asked.append((n, split, seed))
        return super().sample(n, split, seed)


@alone_and_together
def test_only_training_tasks_are_drawn_and_always_fresh_ones(seed):
    distribution = Watched()
    learner = RL2(small(), distribution, seed)
    updates(learner, 4)
    learner.agent(Episodes(3, after=0))
    assert {split for _, split, _ in distribution.asked} == {"train"}
    assert len({number for _, _, number in distribution.asked}) == 4
    assert all(n == 8 * learner.members for n, _, _ in distribution.asked)


@alone_and_together
@pytest.mark.parametrize("own", [False, True], ids=["", "a user's own policy"])
def test_no_global_generator_is_touched(seed, own):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    learner = RL2(small(), Ragged(), seed, make_policy=running_sums if own else None)
    updates(learner, 2)
    evaluate(learner.agent(Episodes(3, after=0)), Ragged(), "test", 8, 0, Episodes(3, after=0))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert random.getstate() == before[2]


# ---- members


@every_core
def test_members_start_as_they_would_alone(core):
    together = RL2(small(core), Ragged(), (4, 5))
    for member, seed in enumerate((4, 5)):
        assert same(together.weights(member), RL2(small(core), Ragged(), seed).weights())


def test_members_see_tasks_of_their_own_and_drift_apart():
    learner = RL2(small(), Ragged(), (0, 1))
    updates(learner, 1)
    rollout = play(learner)
    assert not torch.equal(rollout.reward[:, :8], rollout.reward[:, 8:])
    assert not same(learner.weights(0), learner.weights(1))


@every_core
def test_weights_go_from_a_member_to_a_learner_alone_and_back(core):
    together, alone = RL2(small(core), box_tasks(), (0, 1)), RL2(small(core), box_tasks(), 9)
    updates(together, 2)
    alone.load_weights(together.weights(1))
    budget = Episodes(3, after=0)

    def actions(agent):
        return evaluate(agent, box_tasks(), "test", 8, 0, budget, record_actions=True).actions

    np.testing.assert_allclose(actions(alone.agent(budget)), actions(together.agent(budget, 1)), atol=1e-5)
    updates(alone, 1)
    together.load_weights(alone.weights())
    for member in range(2):
        assert same(together.weights(member), alone.weights())


def test_weights_and_agents_are_copies():
    learner = RL2(small(), Ragged(), 0)
    weights, agent = learner.weights(), learner.agent(Episodes(3, after=0))
    kept = {name: tensor.clone() for name, tensor in weights["policy"].items()}
    updates(learner, 1)
    assert same(kept, weights["policy"])
    assert same(kept, dict(agent.policy.state_dict()))


# ---- budgets and ways of acting


@every_core
@pytest.mark.parametrize("budget", [Episodes(3, after=0), Episodes(2, after=1), Episodes(1), Steps(15), Steps(4)])
def test_agents_play_within_what_they_were_trained_for(core, budget):
    learner = RL2(small(core), Ragged(), 0)  # three episodes of at most five steps
    updates(learner, 1)
    rows = evaluate(learner.agent(budget), Ragged(), "test", 10, 0, budget).rows()
    assert set(rows.task) == set(range(10))
    if isinstance(budget, Steps):
        assert rows.groupby("task").length.sum().eq(budget.total).all()


@pytest.mark.parametrize("budget", [Episodes(3), Steps(16)])
def test_an_attention_core_refuses_more_steps_than_it_remembers(budget):
    attention, gru = RL2(small("attention"), Ragged(), 0), RL2(small(), Ragged(), 0)
    with pytest.raises(ValueError, match=r"remembers 15 steps and can't act for (20|16); train it with more episodes"):
        attention.agent(budget)
    evaluate(gru.agent(budget), Ragged(), "test", 4, 0, budget)


def test_mode_takes_the_likeliest_action_and_sample_draws():
    budget = Episodes(3, after=0)
    for act, fixed in (("mode", True), ("sample", False)):
        agent = RL2(small(act=act), box_tasks(), 0).agent(budget)
        step = RL2(small(), box_tasks(), 0).env.reset(fresh_tasks(box_tasks(), "train", 8, 0))
        first, second = (agent.act(step, agent.initial_state(8), torch.Generator().manual_seed(seed))[0] for seed in (1, 2))
        assert torch.equal(first, second) == fixed
        assert torch.equal(agent.actions.to_environment(first), first)


# ---- bad input


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"episodes": 0}, "episodes, num_envs and iterations must be at least 1"),
        ({"episodes": -3}, "must be at least 1"),
        ({"num_envs": 0}, "must be at least 1"),
        ({"iterations": 0}, "must be at least 1"),
        ({"act": "argmax"}, "act must be 'sample' or 'mode', not 'argmax'"),
        ({"num_envs": 3, "ppo": PPOConfig(minibatches=4)}, r"num_envs \(3\) must be at least the number of minibatches \(4\)"),
    ],
)
def test_bad_settings_get_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        small(**settings)


@pytest.mark.parametrize("seed", [(), (1, 1), [1, 2], "1", 1.5, (0, "a")])
def test_bad_seeds_get_a_sentence(seed):
    with pytest.raises(ValueError, match="Give an integer as seed, or a tuple of integers that differ"):
        RL2(small(), Ragged(), seed)


def test_an_unknown_member_gets_a_sentence():
    learner = RL2(small(), Ragged(), (0, 1))
    for ask in (learner.weights, lambda member: learner.agent(Episodes(3, after=0), member)):
        for member in (2, -1):
            with pytest.raises(ValueError, match=f"no member {member}; this learner trains 2"):
                ask(member)


def test_spaces_that_do_not_fit_get_a_sentence():
    class Odd(Ragged):
        action_space = gym.spaces.Discrete(2, start=1)

    class Text(Ragged):
        observation_space = gym.spaces.Text(3)

    with pytest.raises(ValueError, match="start at 0"):
        RL2(small(), Odd(), 0)
    with pytest.raises(ValueError, match="flatten"):
        RL2(small(), Text(), 0)


# ---- a user's own policy


class RunningSums(nn.Module):
    """A small perceptron over how often each action was taken and what it has brought: no recurrent core."""

    def __init__(self, actions, outputs):
        super().__init__()
        self.actions = actions
        self.inputs = nn.Linear(2 * actions, 32)  # the name must not matter
        self.outputs = nn.Linear(32, outputs)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 2, self.actions)

    def forward(self, step, state):
        state = state.masked_fill(step.meta_episode_start[:, None, None], 0)
        taken = (step.prev_action[:, None] == torch.arange(self.actions)) & ~step.meta_episode_start[:, None]
        state = state + torch.stack([taken, taken * step.prev_reward[:, None]], 1)
        hidden = torch.tanh(self.inputs(state.flatten(1)))
        output = self.outputs(hidden)
        return PolicyOutput(output[:, :-1], output[:, -1]), state


def running_sums(distribution, max_steps):
    actions = int(distribution.action_space.n)
    return RunningSums(actions, actions + 1)


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


# ---- on a GPU

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
    rollout = collect(learner.env, learner.policy, learner.actions, source, torch.Generator("cuda").manual_seed(1))
    with torch.no_grad():
        log_prob = learner.actions.log_prob(unroll(learner.policy, rollout.steps).parameters, rollout.action)
    torch.testing.assert_close(log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-4, atol=1e-4)
    resumed = RL2(small(core), Ragged(), seed, device="cuda")
    resumed.load_state_dict(learner.state_dict())
    assert resumed.update()["steps"] == pytest.approx(learner.update()["steps"], rel=0.2)
    on_cpu = RL2(small(core), Ragged(), seed)
    on_cpu.load_weights(learner.weights())
    budget = Episodes(3, after=0)
    evaluate(on_cpu.agent(budget), Ragged(), "test", 8, 0, budget)
    evaluate(learner.agent(budget), Ragged(), "test", 8, 0, budget, device="cuda")


@gpu
@needs_cuda
def test_on_a_gpu_it_learns():
    identity = metarl.make("Identity-v0", numbers=3, horizon=4)
    learner = RL2(small(episodes=1, num_envs=128, iterations=60), identity, 0, device="cuda")
    updates(learner, 60)
    budget = Episodes(1, after=0)
    assert evaluate(learner.agent(budget), identity, "test", 256, 0, budget, device="cuda").scores().mean() > 0.9 * 4
