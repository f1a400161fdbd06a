"""Score tables: numbers that can be checked by hand, what a reader is told, and what is refused."""

import io
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

import metarl
from metarl.analysis.tables import caption, render, render_leaderboard, score_table
from metarl.evaluation.statistics import (
    generalisation_gap,
    interquartile_mean,
    mean,
    mean_over_seeds,
    paired_difference,
    probability_of_improvement,
)


class Pull:
    """Pulls one arm for ever, or a random one."""

    def __init__(self, arm=None):
        self.arm = arm

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        drawn = torch.randint(5, step.prev_action.shape, generator=rng)
        return drawn if self.arm is None else torch.full_like(drawn, self.arm), state


BANDIT = metarl.make("BernoulliBandit-v0", arms=5)
BUDGET = metarl.Episodes(9, after=1)


def play(arm=None, num_tasks=400, seed=1):
    return metarl.evaluate(Pull(arm), BANDIT, "test", num_tasks, seed, BUDGET)


def test_each_row_has_mean_interval_and_normalised_score():
    random = play()
    first = play(0)
    table = score_table([("Random", random), ("First arm", first)], BANDIT)
    assert table["agent"].tolist() == ["Random", "First arm"]
    estimate = mean(first.scores())
    row = table.iloc[1]
    assert (row["mean"], row["ci_low"], row["ci_high"]) == pytest.approx(estimate[:3])
    span = BANDIT.optimum(10) - random.scores().mean()
    assert row["normalised"] == pytest.approx((estimate.value - random.scores().mean()) / span)
    width = paired_difference(first.scores(), random.scores()).difference
    assert row["normalised_high"] - row["normalised_low"] == pytest.approx(
        (width.high - width.low) / span, rel=0.1
    )
    assert table.iloc[0][
        ["normalised", "normalised_low", "normalised_high"]
    ].tolist() == pytest.approx([0, 0, 0])
    assert table["num_tasks"].tolist() == [400, 400]
    assert table.attrs["reference"] == "optimum"
    assert table.attrs["ceiling"] == pytest.approx(6.6599878748)


def test_a_score_other_than_total_is_normalised_by_the_upper_bound():
    table = score_table([("Random", play()), ("First arm", play(0))], BANDIT, score="after_k")
    assert table.attrs["reference"] == "upper bound"
    assert table.attrs["ceiling"] == pytest.approx(
        BANDIT.sample(400, "test", 1).means.amax(1).mean()
    )
    assert table["mean"].between(0.4, 0.6).all()


def test_several_seeds_have_an_interval_over_seeds_and_tasks():
    parts = [play(arm) for arm in (0, 1, 2)]
    table = score_table([("Random", play()), ("RL²", parts)], BANDIT)
    row = table.iloc[1]
    random = table.iloc[0]["mean"]
    assert row["mean"] == pytest.approx(np.mean([part.scores().mean() for part in parts]))
    assert row["num_seeds"] == 3
    wanted = mean_over_seeds([part.scores() for part in parts])
    assert (row["ci_low"], row["ci_high"]) == (wanted.low, wanted.high)
    assert row["normalised"] == pytest.approx(
        (row["mean"] - random) / (table.attrs["ceiling"] - random)
    )
    one = score_table([("Random", play()), ("RL²", parts[:1])], BANDIT).iloc[1]
    assert (one["ci_low"], one["ci_high"]) == pytest.approx(mean(parts[0].scores())[1:3])


def test_without_a_random_agent_there_is_no_normalised_score():
    table = score_table([("First arm", play(0))], BANDIT)
    assert table["normalised"].isna().all()
    assert np.isfinite(table["mean"]).all()


def test_the_same_entries_give_the_same_table():
    entries = [("Random", play()), ("RL²", [play(0), play(1), play(2)])]
    assert score_table(entries, BANDIT).equals(score_table(entries, BANDIT))


def test_entries_of_different_tasks_are_refused():
    with pytest.raises(
        ValueError, match=r"First arm was scored on other tasks than Random: 300 tasks"
    ):
        score_table([("Random", play()), ("First arm", play(0, num_tasks=300))], BANDIT)
    with pytest.raises(ValueError, match="with seed 2"):
        score_table([("Random", play()), ("First arm", play(0, seed=2))], BANDIT)
    with pytest.raises(ValueError, match="at least one"):
        score_table([], BANDIT)


def printed(table):
    stream = io.StringIO()
    Console(file=stream, width=120).print(render(table, "5 arms"))
    return stream.getvalue()


def test_the_printed_table_says_what_the_numbers_are():
    text = printed(score_table([("Random", play()), ("First arm", play(0))], BANDIT))
    assert "6.660" in text
    assert "normalised (1 = optimum)" in text
    assert "95 % interval" in text
    assert "400 tasks for every agent" in text
    assert "seeds" not in text


def test_the_caption_names_seeds_and_overlapping_splits():
    table = score_table([("Random", play()), ("RL²", [play(0), play(1), play(2)])], BANDIT)
    assert "mean of 3 seeds, intervals over seeds and tasks" in caption(table)
    assert "overlap" not in caption(table)
    few = score_table([("Random", replace(play(), finite=True))], BANDIT)
    assert "overlap" in caption(few)


def test_a_leaderboard_fits_a_terminal_and_names_other_splits():
    row = {
        "game": "space-invaders",
        "split": "test",
        "steps": 200_000,
        "agent": "Joint Rainbow",
        "levels": 8,
        "seeds": 3,
        "score": 123.456,
    }
    rows = [
        row | {"ci_low": 100.0, "ci_high": 140.0},
        row | {"split": "train", "levels": 1, "seeds": 1, "ci_low": -math.inf, "ci_high": math.inf},
    ]
    stream = io.StringIO()
    Console(file=stream, width=80).print(render_leaderboard(pd.DataFrame(rows)))
    shown = stream.getvalue()
    for words in ("Joint Rainbow", "123.46", "[100.00, 140.00]", "8 x 3", "(train)", "one score"):
        assert words in shown, "nothing is cut short"


@pytest.mark.parametrize("width", [30, 40, 80])
def test_a_narrow_terminal_cuts_no_names_or_numbers(width):
    table = score_table([("Optimistic Thompson", play()), ("Optimistic Bayes", play(0))], BANDIT)
    console = Console(file=io.StringIO(), width=width)
    console.print(render(table))
    assert "…" not in console.file.getvalue()


def test_the_middle_half_the_gap_and_the_rival_are_columns():
    parts = [play(arm) for arm in (0, 1, 2)]
    training = [metarl.evaluate(Pull(arm), BANDIT, "train", 300, 1, BUDGET) for arm in (0, 1, 2)]
    random = play()
    table = score_table(
        [("Random", random), ("RL²", parts)],
        BANDIT,
        training=[("RL²", training)],
        against="Random",
    )
    row = table.iloc[1]
    scores = [part.scores() for part in parts]
    for name, wanted in (
        ("iqm", interquartile_mean(scores)),
        ("gap", generalisation_gap([part.scores() for part in training], scores).difference),
        ("improvement", probability_of_improvement(scores, random.scores())),
    ):
        assert row[[name, f"{name}_low", f"{name}_high"]].tolist() == pytest.approx(wanted[:3])
    assert table.iloc[0][["gap", "improvement"]].isna().all()
    text = " ".join(printed(table).split())
    assert "better than Random: how often" in text
    assert "gap: mean on training tasks less the mean here" in text


def test_no_column_is_cut_in_a_narrow_terminal():
    parts = [play(arm) for arm in (0, 1, 2)]
    table = score_table(
        [("Random", play()), ("RL²", parts)],
        BANDIT,
        training=[("RL²", parts)],
        against="Random",
    )
    stream = io.StringIO()
    Console(file=stream, width=80).print(render(table))
    lines = stream.getvalue().splitlines()
    assert {len(line) for line in lines if "│" in line or "┃" in line} == {80}
    assert all(line[-1] in "│┃" for line in lines if "│" in line or "┃" in line)


def test_a_rival_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="There is no agent 'Gittins' to compare with.*Random"):
        score_table([("Random", play())], BANDIT, against="Gittins")
