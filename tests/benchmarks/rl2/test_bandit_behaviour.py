"""What agents do in bandits.

Known answers for scripted agents, and the lemma that ties lost value to lost score.
"""

import numpy as np
import pytest
import torch

import metarl
from benchmarks.rl2.bandit_behaviour import arm_ranks, arms_tried, rank_shares, stayed, value_lost
from metarl.evaluation.statistics import mean

BANDIT = metarl.make("BernoulliBandit-v0", arms=3)
BUDGET = metarl.Episodes(6)


class Script:
    """Pulls the arms of a list in turn, whatever happens; its state is the clock."""

    def __init__(self, *arms):
        self.arms = torch.tensor(arms)

    def initial_state(self, batch_size):
        return torch.zeros((), dtype=torch.int64)

    def act(self, step, state, rng):
        return self.arms[state].expand(len(step.prev_reward)), state + 1


class WinStayLoseShift:
    """Repeats an arm that paid, and goes on to the next one otherwise."""

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        moved = (step.prev_action + (step.prev_reward == 0)) % 3
        return torch.where(step.meta_episode_start, 0, moved), state


def play(agent, num_tasks=2000, distribution=BANDIT, budget=BUDGET, **settings):
    return metarl.evaluate(
        agent, distribution, "test", num_tasks, 3, budget, **{"record_actions": True, **settings}
    )


def test_ranks_follow_the_means_of_each_bandit():
    means = BANDIT.sample(2000, "test", 3).means.numpy()
    ranks = arm_ranks(play(Script(0, 1, 2, 0, 1, 2)), BANDIT)
    assert ranks.shape == (2000, 6)
    assert (np.sort(ranks[:, :3], 1) == np.arange(3)).all()
    np.testing.assert_array_equal(ranks[:, 0] == 0, means.argmax(1) == 0)
    np.testing.assert_array_equal(ranks[:, 4] == 2, means.argmin(1) == 1)


def test_a_fixed_arm_is_each_rank_equally_often():
    shares = rank_shares(play(Script(1, 1, 1, 1, 1, 1), 5000), BANDIT)
    assert shares.shape == (3, 6)
    np.testing.assert_allclose(shares.sum(0), 1)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.03)


def test_a_rank_that_nobody_pulls_has_a_row_of_zeros():
    evaluation = play(Script(0, 0, 0, 0, 0, 0), 1)
    shares = rank_shares(evaluation, BANDIT)
    assert shares.shape == (3, 6)
    assert sorted(shares[:, 0]) == [0, 0, 1]


def test_different_arms_are_counted_up_to_each_pull():
    tried = arms_tried(play(Script(1, 1, 0, 1, 2, 0), 5))
    assert tried.tolist() == [[1, 1, 2, 2, 3, 3]] * 5


def test_win_stay_lose_shift_is_found_in_the_agent_that_does_it():
    evaluation = play(WinStayLoseShift())
    wins = stayed(evaluation, "win")
    losses = stayed(evaluation, "loss")
    assert np.isnan(wins[:, 0]).all()
    assert np.isnan(losses[:, 0]).all()
    won = evaluation.matrix()[:, :-1] == 1
    np.testing.assert_array_equal(wins[:, 1:], np.where(won, 1, np.nan))
    np.testing.assert_array_equal(losses[:, 1:], np.where(won, np.nan, 0))


def test_an_agent_that_never_moves_always_stays():
    evaluation = play(Script(2, 2, 2, 2, 2, 2), 500)
    assert np.nanmin(stayed(evaluation, "win")) == 1
    assert np.nanmin(stayed(evaluation, "loss")) == 1


def test_the_bayes_optimal_agent_loses_no_value():
    lost = value_lost(play(metarl.make_agent("bayes-optimal", BANDIT, BUDGET)), BANDIT)
    assert lost.shape == (2000, 6)
    assert np.abs(lost).max() < 1e-9


def test_lost_value_adds_up_to_what_is_missing_from_the_optimum():
    evaluation = play(Script(0, 1, 2, 2, 1, 0), 40_000)
    optimum = BANDIT.optimum(6)
    lost = value_lost(evaluation, BANDIT)
    assert (lost >= 0).all()
    assert lost[:, 0].max() == pytest.approx(0, abs=1e-9), "untried arms are equal"
    estimate = mean(lost.sum(1), 0.9999)
    assert estimate.low <= optimum - 3 <= estimate.high, "arms pulled regardless pay 6 · 1/2"
    difference = mean(lost.sum(1) - (optimum - evaluation.scores()), 0.9999)
    assert difference.low <= 0 <= difference.high


def test_the_last_pull_costs_the_difference_of_posterior_means():
    lost = value_lost(play(Script(0, 1), 500, budget=metarl.Episodes(2)), BANDIT)
    won = play(Script(0, 1), 500, budget=metarl.Episodes(2)).matrix()[:, 0] == 1
    np.testing.assert_allclose(lost[:, 1], np.where(won, 2 / 3 - 1 / 2, 0), atol=1e-9)


@pytest.mark.parametrize(
    "function",
    [
        lambda e: arm_ranks(e, BANDIT),
        arms_tried,
        lambda e: stayed(e, "win"),
        lambda e: value_lost(e, BANDIT),
    ],
)
def test_unrecorded_pulls_are_refused(function):
    evaluation = play(Script(0, 0, 0, 0, 0, 0), 4, record_actions=False)
    with pytest.raises(ValueError, match="record_actions=True"):
        function(evaluation)


def test_other_families_are_refused():
    mdp = metarl.make("RandomMDP-v0", states=2, actions=3, horizon=3)
    episodes = play(metarl.make_agent("random", mdp, BUDGET), 4, mdp)
    with pytest.raises(ValueError, match="isn't a bandit"):
        arms_tried(episodes)
    four = metarl.make("BernoulliBandit-v0", arms=4)
    pulls = play(Script(0, 0, 0, 0, 0, 0), 4)
    with pytest.raises(ValueError, match="doesn't draw the bandits"):
        arm_ranks(pulls, four)
    with pytest.raises(ValueError, match="isn't what this evaluation played"):
        value_lost(pulls, four)
    gaussian = metarl.make("GaussianBandit-v0", arms=3)
    with pytest.raises(ValueError, match="rewards of 1 and 0"):
        stayed(play(Script(0, 0, 0, 0, 0, 0), 4, gaussian), "win")
    with pytest.raises(ValueError, match="'win' or a 'loss', not 'draw'"):
        stayed(pulls, "draw")
