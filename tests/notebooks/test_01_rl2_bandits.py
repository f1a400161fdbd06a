"""The notebook on RL² and bandits.

It runs from top to bottom, its numbers hold together, and what is committed is clean.
"""

import pytest

from tests.notebooks.running import Notebook, numbers_of, printed

PROBE = """
import json
print(json.dumps({
    "optimum": optimum,
    "score": {label: evaluation.scores().mean() for label, evaluation in played.items()},
    "lost": {label: matrix.sum(1).mean() for label, matrix in losses.items()},
    "normalised": table.set_index("agent")["normalised"].to_dict(),
    "regret": {label: [best.mean() - evaluation.matrix()[:, t].mean() for t in (0, -1)] for label, evaluation in played.items()},
    "best_arm": {label: share[0].tolist() for label, share in shares.items()},
    "win_stay": {label: np.nanmean(matrix) for label, matrix in win_stay.items()},
    "difference": [pooled.low, pooled.value, pooled.high],
}))
"""
NOTEBOOK = Notebook(
    "01_rl2_bandits.ipynb", "results/rl2_tables/weights/bandits-n10-k5", figures=8, probe=PROBE
)


def test_it_runs_from_top_to_bottom(executed):
    NOTEBOOK.check_clean(executed)


def test_its_numbers_hold_together(executed):
    numbers = numbers_of(executed)
    optimum = numbers["optimum"]
    score = numbers["score"]
    lost = numbers["lost"]
    assert optimum == pytest.approx(6.65999, abs=1e-5)
    # Five standard errors of 20,000 tasks
    assert score["Bayes-optimal"] == pytest.approx(optimum, abs=0.08)
    assert lost["Gittins"] < 0.001
    assert lost["Gittins"] <= lost["RL²"] < lost["Thompson"]
    for label in lost:
        assert optimum - lost[label] == pytest.approx(
            score[label], abs=0.08
        ), "what is lost is what is missing"
    assert numbers["normalised"]["Random"] == 0
    assert numbers["normalised"]["Thompson"] < numbers["normalised"]["RL²"] < 1.02
    for label, (first, last) in numbers["regret"].items():
        assert first == pytest.approx(
            1 / 3, abs=0.02
        ), "5/6 with the arms known, 1/2 with nothing known"
        assert last < 0.25 or label == "Random"
    for share in numbers["best_arm"].values():
        assert share[0] == pytest.approx(1 / 5, abs=0.02)
        assert share[-1] > 0.3
    assert (
        numbers["win_stay"]["Gittins"] == 1.0
    ), "after a reward its arm is better than before, and the others are as they were"
    low, value, high = numbers["difference"]
    assert low < value < high < 0.05


def test_it_says_which_agents_it_shows(executed):
    NOTEBOOK.check_says_which_agents_it_shows(executed)


def test_without_published_agents_it_trains_a_small_one_and_says_so(tmp_path):
    parameters = (
        'PUBLISHED, NUM_TASKS, SMALL = "results/nowhere", 400, RL2Config(num_envs=64, iterations=3)'
    )
    notebook = NOTEBOOK.run(tmp_path, parameters)
    NOTEBOOK.check_clean(notebook)
    assert "There is nothing in results/nowhere: a small RL² is trained here instead" in printed(
        notebook
    )
    score = numbers_of(notebook)["score"]["RL²"]
    assert 4 < score < 6.9


def test_what_is_committed_is_executed_and_clean():
    NOTEBOOK.check_committed()


def test_it_reads_results_through_the_package_only():
    NOTEBOOK.check_reads_through_the_package()
