"""The tour: it runs from top to bottom, what it trains learns, and what is committed is clean."""

import nbformat

from tests.notebooks.running import Notebook, code_cells, numbers_of

PROBE = """
import json
print(json.dumps({
    "optimum": bandit.optimum(10),
    "scores": {label: float(evaluation.scores().mean()) for label, evaluation in played.items()},
    "lengths": [[len(each.rewards) for each in own] for own in recording.episodes],
}, default=float))
"""
NOTEBOOK = Notebook("00_tour.ipynb", "", 4, PROBE, smaller="NUM_TASKS, ITERATIONS = 2_000, 40")


def test_it_runs_and_what_it_trains_learns(executed):
    NOTEBOOK.check_clean(executed)
    numbers = numbers_of(executed)
    scores = numbers["scores"]
    assert scores["RL²"] > scores["Thompson"] > scores["Random"]
    assert abs(scores["Gittins"] - numbers["optimum"]) < 0.2
    assert all(second <= first for first, second in numbers["lengths"])


def test_what_is_committed_is_executed_and_clean():
    notebook = NOTEBOOK.read()
    nbformat.validate(notebook)
    NOTEBOOK.check_clean(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert NOTEBOOK.file.stat().st_size < 1_000_000
    assert "/tmp/" not in NOTEBOOK.file.read_text(encoding="utf-8")
