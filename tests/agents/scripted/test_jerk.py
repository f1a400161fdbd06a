"""JERK against its rules worked out by hand, and on a level of CoinRun."""

import pytest
import torch

from metarl.agents.scripted.jerk import JERK, Row, Solution
from metarl.core.budget import Steps
from metarl.core.step import Step
from metarl.evaluation.protocol import evaluate
from metarl.tasks.games.coin_run import CoinRun
from metarl.tasks.games.running import Running
from metarl.tasks.mdps.identity import Identity

RUNNING = Running(still=0, left=1, right=2, jump_left=3, jump_right=4)


def explore(row, steps, jumps=(), reward=lambda t: 0.0):
    actions = []
    for t in range(steps):
        actions.append(row.choose(RUNNING, t in jumps))
        row.note(reward(t))
    return actions


def test_it_runs_right_for_100_steps_and_left_for_70_where_that_gained_nothing():
    assert explore(Row(), 270) == [2] * 100 + [1] * 70 + [2] * 100
    assert explore(Row(), 201, reward=lambda t: 0.01) == [2] * 201
    gains_once = explore(Row(), 301, reward=lambda t: 1.0 if t == 5 else 0.0)
    assert gains_once == [2] * 200 + [1] * 70 + [2] * 31


def test_a_jump_is_held_for_four_steps():
    assert explore(Row(), 12, jumps=(2, 3, 8)) == [2, 2, 4, 4, 4, 4, 2, 2, 4, 4, 4, 4]
    row = Row(left=True, run=0)
    assert explore(row, 6, jumps=(0,)) == [3, 3, 3, 3, 1, 1]


def test_an_episode_is_kept_up_to_its_best_moment_and_scored_by_it():
    row = Row()
    rewards = [1.0, 2.0, -1.0, 0.5, -3.0]
    explore(row, 5, reward=lambda t: rewards[t])
    row.end()
    assert row.solutions == [Solution([2, 2], [3.0])]
    row.begin(True)
    assert row.repeated is row.solutions[0]
    # Then it stands still
    assert explore(row, 4, reward=lambda t: [1.0, -1.0, 0.0, 0.0][t]) == [2, 2, 0, 0]
    row.end()
    assert row.solutions == [Solution([2, 2], [3.0, 0.0])]
    assert row.solutions[0].mean == 1.5


def test_the_solution_of_the_best_mean_is_repeated():
    row = Row(
        solutions=[Solution([1], [5.0, 0.0]), Solution([2], [3.0]), Solution([4], [2.0, 3.9])]
    )
    row.begin(True)
    assert row.repeated.actions == [2]
    row.begin(False)
    assert row.repeated is None


def test_it_finds_the_coin_and_fetches_it_again():
    distribution = CoinRun(levels=4, horizon=150)
    budget = Steps(3000)
    rows = evaluate(JERK(distribution, budget), distribution, "train", 4, 0, budget).rows()
    repeats = rows.groupby("task")["return"].apply(lambda returns: returns.tail(10).mean())
    assert repeats.max() > 5
    again = evaluate(JERK(distribution, budget), distribution, "train", 4, 0, budget).rows()
    assert again.equals(rows)


def test_it_plays_running_games_only():
    assert JERK.supports(CoinRun(levels=1))
    with pytest.raises(ValueError, match="doesn't say which of its actions do"):
        JERK(Identity(3, 4), Steps(5))
    with pytest.raises(ValueError, match="exploit is a probability"):
        JERK(CoinRun(levels=1), Steps(5), exploit=2.0)


def test_a_new_task_is_begun_with_an_empty_memory():
    agent = JERK(CoinRun(levels=1), Steps(100))
    state = agent.initial_state(1)
    state[0].solutions.append(Solution([1], [9.0]))
    yes = torch.tensor([True])
    no = torch.tensor([False])
    zero = torch.zeros(1)
    _, state = agent.act(Step(zero, zero, zero, no, no, zero, yes), state, torch.Generator())
    assert state[0].solutions == []
