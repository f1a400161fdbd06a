"""Tables beside a paper's.

Lines that stay and lines that go, when a note is due, and what it says.
"""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.rl2.beside_paper import (
    differs_from_paper,
    merge_lines,
    paper_note,
    render_beside_paper,
)
from metarl.evaluation.statistics import Estimate

ORDER = ["Random", "UCB1", "RL²"]


def lines(*rows):
    columns = ["n", "k", "agent", "mean", "ci_low", "ci_high", "paper", "num_tasks", "num_seeds"]
    return pd.DataFrame(rows, columns=columns).astype({"num_tasks": "Int64", "num_seeds": "Int64"})


RL2_UNTRAINED = (10, 5, "RL²", None, None, None, 6.7, None, None)


def test_lines_of_other_rows_and_agents_stay_and_the_same_ones_are_replaced(tmp_path):
    file = tmp_path / "results" / "bandits.csv"
    merge_lines(
        file,
        lines(
            (100, 5, "UCB1", 78.0, 77.9, 78.1, 78.0, 50, 1),
            (10, 5, "UCB1", 6.5, 6.4, 6.6, 6.7, 50, 1),
        ),
        ["n", "k"],
        ORDER,
    )
    merge_lines(
        file, lines((10, 5, "Random", 5.0, 4.9, 5.1, 5.0, 50, 1), RL2_UNTRAINED), ["n", "k"], ORDER
    )
    whole = merge_lines(file, lines((10, 5, "UCB1", 6.6, 6.5, 6.7, 6.7, 99, 1)), ["n", "k"], ORDER)
    assert whole[["n", "agent"]].apply(tuple, axis=1).tolist() == [
        (10, "Random"),
        (10, "UCB1"),
        (10, "RL²"),
        (100, "UCB1"),
    ]
    assert whole["mean"].tolist()[1] == 6.6
    text = file.read_text().splitlines()
    assert text[1:] == [
        "10,5,Random,5.0,4.9,5.1,5.0,50,1",
        "10,5,UCB1,6.6,6.5,6.7,6.7,99,1",
        "10,5,RL²,,,,6.7,,",
        "100,5,UCB1,78.0,77.9,78.1,78.0,50,1",
    ]


def test_merging_the_same_lines_again_changes_nothing(tmp_path):
    file = tmp_path / "bandits.csv"
    part = lines((10, 5, "Random", 1 / 3, 0.1, 0.5, 5.0, 50, 1), RL2_UNTRAINED)
    merge_lines(file, part, ["n", "k"], ORDER)
    before = file.read_bytes()
    merge_lines(file, part, ["n", "k"], ORDER)
    assert file.read_bytes() == before


def test_a_table_with_other_columns_is_left_alone(tmp_path):
    file = tmp_path / "bandits.csv"
    file.write_text("n,agent,score\n1,Random,2\n")
    with pytest.raises(ValueError, match="move it away first"):
        merge_lines(file, lines(RL2_UNTRAINED), ["n", "k"], ORDER)
    assert file.read_text() == "n,agent,score\n1,Random,2\n"


@pytest.mark.parametrize(
    ("estimate", "paper", "differs"),
    [
        (Estimate(6.60, 6.59, 6.61, 9), 6.65, False),  # less than 1 %
        (Estimate(6.60, 6.40, 6.80, 9), 6.75, False),  # within the interval
        (Estimate(6.60, 6.59, 6.61, 9), 6.75, True),
        (Estimate(6.90, 6.89, 6.91, 9), 6.75, True),
        (Estimate(6.60, 6.59, 6.61, 9), None, False),
        (Estimate(6.60, 6.59, 6.61, 9), np.nan, False),
    ],
)
def test_a_note_is_due_beyond_one_percent_and_the_interval(estimate, paper, differs):
    assert differs_from_paper(estimate, paper) is differs
    assert bool(paper_note(estimate, paper, 2.2, 1000, None)) is differs


def test_a_note_says_how_far_how_noisy_how_possible_and_why():
    text = paper_note(Estimate(6.60, 6.59, 6.61, 9), 6.8, 2.2, 1000, 6.714, "trained otherwise")
    assert "-2.9% against the paper's 6.8" in text
    assert "1,000 tasks has a standard error of about 0.07" in text
    assert "above the exact optimum 6.714" in text
    assert text.endswith("trained otherwise.")
    assert "optimum" not in paper_note(Estimate(6.60, 6.59, 6.61, 9), 6.0, 2.2, 1000, 6.714)
    assert "not known" in paper_note(Estimate(6.60, 6.59, 6.61, 9), 6.0, 2.2, 1000, 6.714)


def test_the_printed_row_has_the_papers_figure_beside_ours_and_numbered_notes():
    part = lines(
        (10, 5, "Random", 5.0, 4.9, 5.1, 5.0, 50, 1),
        (10, 5, "UCB1", 6.5, 6.49, 6.51, 6.7, 2000, 1),
        RL2_UNTRAINED,
    )
    stream = io.StringIO()
    Console(file=stream, width=120).print(
        render_beside_paper(part, {"UCB1": "c is searched."}, "5 arms")
    )
    text = stream.getvalue()
    ucb1 = next(line for line in text.splitlines() if "UCB1" in line)
    assert [word.strip() for word in ucb1.split("│")[1:-1]] == [
        "UCB1",
        "6.500",
        "6.490 to 6.510",
        "6.7",
        "-3.0% (1)",
        "2,000",
        "1",
    ]
    assert "1 UCB1: c is searched." in text
    learned = next(line for line in text.splitlines() if "RL²" in line)
    assert "not trained" in learned
    assert "6.7" in learned
