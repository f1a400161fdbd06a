"""The loop that scores agents.

Known returns of a small family with unequal lengths, pairing, independence of rows, faults.
"""

from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.core.budget import Episodes
from metarl.core.errors import PlugInError
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition
from metarl.evaluation import protocol
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import mean
from metarl.learners.memory.rl2 import RL2, RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig


@dataclass(frozen=True, eq=False)
class WalkTasks(Tasks):
    lengths: torch.Tensor  # [n] int64


class Walk(TaskDistribution):
    """Step t of an episode pays t + 1.

    It terminates after the task's own length (1 to 6), and the horizon truncates it at 4.
    """

    id = "Walk"
    horizon = 4
    observation_space = gym.spaces.Discrete(10)
    action_space = gym.spaces.Discrete(3)

    def sample(self, n, split, seed):
        return WalkTasks(
            torch.from_numpy(np.random.default_rng(seed).permutation(np.arange(n) % 6 + 1))
        )

    def reset(self, tasks, rng):
        zeros = torch.zeros(len(tasks), dtype=torch.int64)
        return zeros, zeros

    def step(self, tasks, state, action, rng):
        state = state + 1
        return Transition(state, state, state.float(), state >= tasks.lengths, action == 2)


class Fixed:
    """Plays one action for ever, and draws from its generator as often as told."""

    def __init__(self, action=0, draws=0):
        self.action = action
        self.draws = draws

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        torch.rand(self.draws, generator=rng)
        return torch.full_like(step.prev_action, self.action), state


class Uniform(Fixed):
    """Plays arms at random."""

    def act(self, step, state, rng):
        return torch.randint(3, step.prev_action.shape, generator=rng), state


def walk(budget, agent=None, num_tasks=12, **options):
    return metarl.evaluate(agent or Fixed(), Walk(), "test", num_tasks, 5, budget, **options)


def test_every_episode_is_there_with_its_start_length_return_and_end():
    rows = walk(metarl.Episodes(2, after=1)).rows()
    lengths = Walk().sample(12, "test", 5).lengths.numpy()
    played = np.minimum(lengths, 4)
    assert rows["task"].tolist() == np.repeat(np.arange(12), 3).tolist()
    assert rows["episode"].tolist() == [0, 1, 2] * 12
    assert rows["length"].tolist() == np.repeat(played, 3).tolist()
    assert rows["start_step"].tolist() == [k * n for n in played for k in range(3)]
    assert rows["return"].tolist() == np.repeat(played * (played + 1) / 2, 3).tolist()
    assert rows["terminated"].tolist() == np.repeat(lengths <= 4, 3).tolist()
    assert rows["truncated"].tolist() == np.repeat(lengths > 4, 3).tolist()


def test_scores_are_sums_and_means_over_the_right_episodes():
    evaluation = walk(metarl.Episodes(2, after=1))
    played = np.minimum(Walk().sample(12, "test", 5).lengths.numpy(), 4)
    per_episode = played * (played + 1) / 2
    assert evaluation.scores().tolist() == (3 * per_episode).tolist()
    assert evaluation.scores("after_k").tolist() == per_episode.tolist()
    assert evaluation.scores("budget_mean").tolist() == per_episode.tolist()
    with pytest.raises(ValueError, match="no notion of success"):
        evaluation.scores("success")
    assert evaluation.matrix().tolist() == np.tile(per_episode[:, None], 3).tolist()


def test_after_k_takes_the_episodes_after_k_only():
    class Late(Fixed):
        def initial_state(self, batch_size):
            return torch.zeros(batch_size, dtype=torch.int64)

        def act(self, step, state, rng):
            state = state + 1
            return state % 4, state

    identity = metarl.make("Identity-v0", numbers=4, horizon=1)
    evaluation = metarl.evaluate(Late(), identity, "test", 50, 1, metarl.Episodes(3, after=2))
    numbers = identity.sample(50, "test", 1).numbers.numpy()[:, 0]
    right = (np.arange(1, 6)[None] % 4 == numbers[:, None]).astype(float)  # [50, 5]
    assert evaluation.matrix().tolist() == right.tolist()
    assert evaluation.scores("after_k").tolist() == right[:, 3:].mean(1).tolist()
    assert evaluation.scores("success").tolist() == right[:, 3:].mean(1).tolist()


def test_an_episode_is_a_success_if_any_of_its_steps_was():
    class Once(Fixed):
        def act(self, step, state, rng):
            return torch.where(step.episode_start, 2, 0), state

    assert walk(metarl.Episodes(1), Once()).scores("success").tolist() == [1.0] * 12


def test_a_step_budget_cuts_the_last_episode_and_leaves_it_out_of_the_mean():
    lengths = Walk().sample(12, "test", 5).lengths.numpy()
    evaluation = walk(metarl.Steps(8))
    rows = evaluation.rows().groupby("task")
    assert rows["length"].sum().tolist() == [8] * 12
    last = rows.last()
    cut = (8 % np.minimum(lengths, 4)) != 0
    assert last["truncated"].tolist() == (cut | (lengths > 4)).tolist()
    assert (last["start_step"] + last["length"]).tolist() == [8] * 12
    played = np.minimum(lengths, 4)
    per_episode = played * (played + 1) / 2
    # 3 + 3 + (2): the cut one isn't averaged in
    assert evaluation.scores("budget_mean").tolist() == per_episode.tolist()
    leftover = 8 % played
    assert (
        evaluation.scores("total").tolist()
        == (8 // played * per_episode + leftover * (leftover + 1) / 2).tolist()
    )


def test_an_episode_that_the_horizon_ends_on_the_budgets_last_step_counts():
    evaluation = walk(metarl.Steps(4))
    long = Walk().sample(12, "test", 5).lengths.numpy() >= 4
    assert (evaluation.scores("budget_mean")[long] == 10.0).all()


def test_a_cut_episode_counts_where_it_is_the_only_one():
    evaluation = walk(metarl.Steps(3))
    lengths = Walk().sample(12, "test", 5).lengths.numpy()
    assert (evaluation.scores("budget_mean")[lengths > 3] == 6.0).all()
    assert (evaluation.scores("budget_mean")[lengths == 2] == 3.0).all()


def test_the_environments_noise_is_the_same_whatever_the_agent_draws():
    bandit = metarl.make("BernoulliBandit-v0", arms=3)
    budget = metarl.Episodes(7)
    quiet, noisy = (
        metarl.evaluate(Fixed(1, draws), bandit, "test", 200, 1, budget) for draws in (0, 1000)
    )
    assert (quiet.returns == noisy.returns).all()
    assert quiet.fingerprint == noisy.fingerprint == bandit.sample(200, "test", 1).fingerprint


def test_agents_are_paired_step_by_step():
    bandit = metarl.make("BernoulliBandit-v0", arms=3)
    budget = metarl.Episodes(7)
    fixed, mixed = (
        metarl.evaluate(agent, bandit, "test", 300, 1, budget, record_actions=True)
        for agent in (Fixed(1), Uniform())
    )
    same = mixed.actions == 1  # [300, 7]
    assert (fixed.matrix()[same] == mixed.matrix()[same]).all()
    assert 0.2 < same.mean() < 0.5


def test_the_same_seed_gives_the_same_scores_and_another_seed_or_split_others():
    bandit = metarl.make("BernoulliBandit-v0", arms=3)
    budget = metarl.Episodes(7)
    runs = [
        metarl.evaluate(Uniform(), bandit, split, 200, seed, budget)
        for split, seed in (("test", 1), ("test", 1), ("test", 2), ("train", 1))
    ]
    assert (runs[0].returns == runs[1].returns).all()
    assert len({run.fingerprint for run in runs}) == 3
    assert not (runs[0].returns == runs[2].returns).all()
    assert not (runs[0].returns == runs[3].returns).all()


def test_chunks_are_joined_in_the_order_of_the_tasks(monkeypatch):
    whole = walk(metarl.Episodes(2), num_tasks=13, record_actions=True)
    monkeypatch.setattr(protocol, "CHUNK", 5)
    parts = walk(metarl.Episodes(2), num_tasks=13, record_actions=True)
    assert parts.rows().equals(whole.rows())
    assert parts.fingerprint == whole.fingerprint
    assert (parts.actions == whole.actions).all()


def test_recorded_actions_are_zero_after_a_tasks_end_and_chunks_may_end_early(monkeypatch):
    class Long(Walk):
        horizon = 40

        def sample(self, n, split, seed):
            return WalkTasks(torch.tensor([1] * 4 + [30] * 4)[:n])

    monkeypatch.setattr(protocol, "CHUNK", 4)
    evaluation = metarl.evaluate(
        Fixed(1), Long(), "test", 8, 0, metarl.Episodes(1), record_actions=True
    )
    assert evaluation.actions.shape == (8, 40)
    assert evaluation.actions.sum(1).tolist() == [1] * 4 + [30] * 4
    assert evaluation.length.tolist() == [1] * 4 + [30] * 4


def test_each_task_is_played_once_and_only_its_own_meta_episode_is_scored():
    seen = []

    class Watcher(Fixed):
        def act(self, step, state, rng):
            seen.append(step.meta_episode_start.clone())
            return super().act(step, state, rng)

    evaluation = walk(metarl.Episodes(2), Watcher())
    assert torch.stack(seen).sum(0).tolist() == [1] * 12
    assert bool(seen[0].all())
    assert np.bincount(evaluation.task).tolist() == [2] * 12


def test_no_gradients_and_no_global_generator():
    class Learned(Fixed):
        weight = torch.ones(1, requires_grad=True)

        def act(self, step, state, rng):
            assert not (self.weight * 2).requires_grad
            return super().act(step, state, rng)

    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    walk(metarl.Episodes(2), Learned())
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_bad_requests_get_a_sentence():
    with pytest.raises(ValueError, match="has no split 'tests'; choose one of train, test"):
        metarl.evaluate(Fixed(), Walk(), "tests", 3, 0)
    with pytest.raises(ValueError, match="num_tasks must be at least 1, not 0"):
        metarl.evaluate(Fixed(), Walk(), "test", 0, 0)
    with pytest.raises(ValueError, match="after_k needs a budget"):
        walk(metarl.Episodes(2)).scores("after_k")
    with pytest.raises(ValueError, match="There is no score 'mean'"):
        walk(metarl.Episodes(2)).scores("mean")
    with pytest.raises(ValueError, match="use rows"):
        walk(metarl.Steps(5)).matrix()


def test_a_broken_agent_is_named():
    class Lists(Fixed):
        def act(self, step, state, rng):
            return [0] * len(step.prev_reward), state

    class Scalar(Fixed):
        def act(self, step, state, rng):
            return torch.zeros(()), state

    class Wide(Fixed):
        def act(self, step, state, rng):
            return torch.zeros(len(step.prev_reward), 2, dtype=torch.int64), state

    with pytest.raises(
        PlugInError, match=r"Lists.act must return .* at step 1 the action is a list"
    ):
        walk(metarl.Episodes(1), Lists())
    for agent in (Scalar(), Wide()):
        with pytest.raises(PlugInError, match=r"can't have shape|shape"):
            walk(metarl.Episodes(1), agent)


def test_a_distribution_that_gives_nan_is_named_with_task_and_step():
    class Sick(Walk):
        def step(self, tasks, state, action, rng):
            transition = super().step(tasks, state, action, rng)
            sick = (torch.arange(len(tasks)) == 3) & (transition.state == 2)
            return transition._replace(reward=torch.where(sick, torch.nan, transition.reward))

    class All(Sick):
        def sample(self, n, split, seed):
            return WalkTasks(torch.full((n,), 4))

    with pytest.raises(PlugInError, match=r"not finite.* row 3 .*at step 2"):
        metarl.evaluate(Fixed(), All(), "test", 6, 0, metarl.Episodes(1))


def test_a_fault_in_a_later_chunk_says_which_tasks_it_plays(monkeypatch):
    class Late(Fixed):
        def initial_state(self, batch_size):
            if batch_size < 4:
                raise PlugInError("no state for so few rows.")
            return ()

    monkeypatch.setattr(protocol, "CHUNK", 4)
    with pytest.raises(PlugInError, match=r"Row 0 is task 8 of the 10 evaluated"):
        walk(metarl.Episodes(1), Late(), num_tasks=10)


def test_an_agent_made_for_other_spaces_is_refused():
    budget = Episodes(2)
    agent = RL2(
        RL2Config(episodes=2, num_envs=4, iterations=1, ppo=PPOConfig(minibatches=1)),
        metarl.make("BernoulliBandit-v0", arms=5),
    ).agent(budget)
    for other in (metarl.make("BernoulliBandit-v0", arms=7), metarl.make("RandomMDP-v0")):
        with pytest.raises(ValueError, match="was made for the .*_space"):
            evaluate(agent, other, "test", 4, 0, budget)


def test_a_summary_shows_every_score_that_applies():
    evaluation = walk(metarl.Episodes(2, after=1))
    summary = evaluation.summary()
    assert summary.index.tolist() == [
        "total",
        "after_k",
        *(f"return of episode {k}" for k in (1, 2, 3)),
    ]
    assert summary["plays"].eq(12).all()
    assert summary["tasks"].eq(evaluation.distinct_tasks).all()
    assert summary.loc["total", ["mean", "ci_low", "ci_high"]].tolist() == list(
        mean(evaluation.scores())[:3]
    )
    assert summary.loc["return of episode 2", "mean"] == evaluation.matrix()[:, 1].mean()
    assert summary.attrs["budget"] == "Episodes(learning=2, after=1)"
    steps = walk(metarl.Steps(5)).summary()
    assert steps.index.tolist() == ["total", "budget_mean"]


def test_an_evaluation_shows_itself_on_a_line():
    shown = repr(walk(metarl.Episodes(2)))
    assert shown.startswith("Evaluation(Walk, test, 12 plays of ")
    assert "total " in shown
    assert "\n" not in shown
    one = metarl.evaluate(
        metarl.make_agent("random", metarl.make("BernoulliBandit-v0"), metarl.Episodes(3)),
        metarl.make("BernoulliBandit-v0"),
        "test",
        1,
        0,
        metarl.Episodes(3),
    )
    assert "no interval" in repr(one)
    assert "inf" not in repr(one)
    assert one.summary()[["ci_low", "ci_high"]].isna().all(axis=None)
