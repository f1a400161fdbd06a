"""The notebook that compares agents: it reads any suite's folder, and what is committed is clean."""

import nbformat
import pytest

from metarl.analysis.leaderboard import leaderboard
from tests.notebooks.running import ROOT, Notebook, code_cells, numbers_of
from tests.suites.small_suite import run_suite

PROBE = """
import json
print(json.dumps({
    "labels": sorted(set(board["label"])),
    "compared": comparison_table(pairs, names=(FIRST, SECOND))["difference"].tolist(),
    "curves": sorted(curves),
}, default=float))
"""
NOTEBOOK = Notebook("07_compare.ipynb", "results/everything", 2, PROBE)
SUITE = """
from metarl.core.budget import Episodes
from metarl.suites.suite import Family, Suite, Training, grid

BANDITS = Family("BernoulliBandit-v0", {"arms": 3}, Episodes(5), ("gittins",), num_tasks=50)
LEARNER = Training("rl2", label="RL² of mine", settings={"num_envs": 16})
SUITE = Suite("mine", {"cpu": grid([LEARNER], [BANDITS], seeds=(0, 1), iterations=3)})
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook on a suite that has just been run."""
    folder = tmp_path_factory.mktemp("suite")
    file = folder / "mine.py"
    file.write_text(SUITE)
    assert run_suite(file).returncode == 0
    where = folder / "runs" / "mine" / "cpu"
    parameters = f'FOLDER = "{where}"\nFIRST, SECOND = "Gittins", "RL² of mine"'
    return NOTEBOOK.run(folder, parameters), leaderboard(where)


def test_it_compares_the_agents_of_any_suite(executed):
    notebook, board = executed
    NOTEBOOK.check_clean(notebook)
    numbers = numbers_of(notebook)
    assert numbers["labels"] == ["Gittins", "RL² of mine", "Random"]
    assert numbers["curves"] == ["RL² of mine"]
    values = board.set_index("label")["value"]
    assert numbers["compared"] == pytest.approx([values["Gittins"] - values["RL² of mine"]])


def test_what_is_committed_is_executed_and_clean():
    notebook = NOTEBOOK.read()
    nbformat.validate(notebook)
    NOTEBOOK.check_clean(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert str(ROOT) not in NOTEBOOK.file.read_text(encoding="utf-8")
