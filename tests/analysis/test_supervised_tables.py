"""Tables of adapters by inner step.

Means and intervals of the evaluations, in the order they come.
"""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from metarl.analysis.supervised_tables import render_inner_steps, supervised_table
from metarl.evaluation.statistics import mean
from metarl.evaluation.supervised import SupervisedEvaluation

RNG = np.random.default_rng(0)


def made(accuracies=None):
    return SupervisedEvaluation(
        "Made-v0",
        {},
        "test",
        0,
        30,
        "abc",
        False,
        RNG.random((30, 4)),
        accuracies,
        (0, 1, 2, 3),
        True,
    )


def test_every_score_has_its_mean_and_interval():
    one = made(RNG.random((30, 4)))
    other = made(RNG.random((30, 4)))
    table = supervised_table({"one": one, "other": other})
    assert table.adapter.unique().tolist() == ["one", "other"]
    assert table.inner_step.unique().tolist() == [0, 1, 2, 3]
    row = table[
        (table.adapter == "other") & (table.score == "accuracy") & (table.inner_step == 3)
    ].iloc[0]
    assert (row["mean"], row["ci_low"], row["ci_high"]) == pytest.approx(
        mean(other.accuracies[:, 3])[:3]
    )
    assert supervised_table({"one": made()}, steps=[3]).shape == (1, 10)


def test_the_terminal_shows_a_step_a_column():
    console = Console(width=120, record=True, file=io.StringIO())
    evaluation = made()
    console.print(render_inner_steps(supervised_table({"Reptile": evaluation})))
    text = console.export_text()
    assert f"{evaluation.losses[:, 3].mean():.3f} ±" in text
    assert "30 tasks" in text


def test_different_tasks_are_refused():
    with pytest.raises(ValueError, match="same tasks"):
        supervised_table({"one": made(), "other": replace(made(), fingerprint="def")})
