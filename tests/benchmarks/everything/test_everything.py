"""The table of all learners: every cell is a score, a reason, or missing; nothing is left out."""

import pandas as pd
import pytest

from benchmarks.everything.columns import FAMILIES, LEARNERS, preset, search, without
from metarl.suites.suite import planned_runs
from tests.benchmarks.test_suites import ROOT
from tests.suites.small_suite import run_suite


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """The folder of tables after two jobs of one family."""
    folder = tmp_path_factory.mktemp("everything")
    words = [f"--runs={folder / 'runs'}", f"--results={folder / 'results'}", "--preset=smoke"]
    only = ["--only", "BernoulliBandit-v0-rl2-gru-*", "agents/BernoulliBandit*-random"]
    done = run_suite(ROOT / "benchmarks" / "everything" / "suite.py", *words, *only)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "runs" / "everything" / "smoke" / "tables"


def test_a_cell_is_a_score_a_reason_or_empty(filled):
    table = pd.read_csv(filled / "table.csv", keep_default_na=False).set_index("agent")
    assert set(LEARNERS.values()) < set(table.index)
    assert table.loc["RL², GRU", "Bandit"].endswith("n = 1")
    assert table.loc["Random", "Bandit"].startswith("0.00")
    assert table.loc["MLSH", "Bandit"] == "an episode is too short for options"
    assert table.loc["MAML", "CoinRun, easy"] == "reads vectors, not images"
    assert table.loc["MAML", "Bandit"] == ""


def test_what_a_training_took_and_how_it_adapts_is_told(filled):
    training = pd.read_csv(filled / "training.csv")
    assert training["agent"].tolist() == ["RL², GRU"]
    assert training["steps"].tolist() == [512 * 20]
    curves = pd.read_csv(filled / "bandit.csv")
    assert curves.groupby("agent")["episode"].max().to_dict() == {"RL², GRU": 20, "Random": 20}
    assert (filled / "bandit.png").stat().st_size > 10_000


def test_every_figure_has_a_row_and_those_that_are_missing_say_so(filled):
    figures = pd.read_csv(filled / "figures.csv").set_index("figure")
    assert figures.loc["Bandit: RL², GRU, normalised total", "n"] == 4
    missing = figures.loc["Bandit: MAML, normalised total"]
    assert pd.isna(missing["value"])
    assert missing["n"] == 0
    assert not any("MLSH" in figure and figure.startswith("Bandit") for figure in figures.index)


def test_every_learner_is_on_every_family_or_has_a_reason():
    there = {(each.run.distribution, each.run.learner) for each in planned_runs(preset())}
    for column in FAMILIES:
        for learner in ("rl2", "maml-rl", "fomaml-rl", "reptile-rl", "mlsh", "joint-ppo"):
            assert ((column.id, learner) in there) == (without(column, learner) is None)


def test_trainings_on_a_family_have_the_same_budget_of_steps():
    for column in FAMILIES:
        own = [each for each in preset().trainings if each.distribution == column.id]
        assert {each.steps for each in own} == {column.steps}


def test_step_sizes_are_searched_on_training_tasks():
    assert {scoring.splits for scoring in search().scorings} == {("train",)}
