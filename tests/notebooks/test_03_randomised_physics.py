"""The notebook on randomised physics.

It runs from top to bottom, its numbers hold together, and what is committed is clean.
"""

import pytest

from tests.notebooks.running import Notebook, numbers_of, printed

PROBE = """
import json
print(json.dumps({
    "fingerprints": {split: sorted({evaluation.fingerprint for evaluation in each.values()}) for split, each in played.items()},
    "returns": {split: {label: evaluation.matrix().mean(0).tolist() for label, evaluation in each.items()} for split, each in played.items()},
    "area": {label: matrix.sum(1).mean() for label, matrix in up.items()},
    "rising": int(sum((np.diff(matrix, axis=1) > 0).sum() for matrix in up.values())),
    "fallen": {label: fallen.loc[label].iloc[:, -1].tolist() for label in (RL2, WITHOUT, TOLD)},
    "direction": {label: frame.loc["push's direction"].tolist() for label, frame in read.items()},
    "highest": max(float(np.nanmax(frame.to_numpy())) for frame in read.values()),
    "first_as_kept": bool((emptied.matrix()[:, 0] == kept[:, 0]).all()),
    "lead": [against("test", RL2, WITHOUT).low, against("test", RL2, WITHOUT).value],
}))
"""
POLICIES = ("cart-pole-recurrent", "cart-pole-memoryless", "cart-pole-told")
NOTEBOOK = Notebook(
    "03_randomised_physics.ipynb",
    "results/randomised_physics/weights",
    figures=7,
    probe=PROBE,
    runs=POLICIES,
)


def check_fields(numbers):
    """What holds of trained policies and of those that have hardly been trained."""
    assert [len(each) for each in numbers["fingerprints"].values()] == [
        1,
        1,
    ], "all policies play the same tasks"
    assert numbers["fingerprints"]["test"] != numbers["fingerprints"]["extrapolate"]
    for each in numbers["returns"].values():
        assert all(1 < value <= 200 for values in each.values() for value in values)
    # The pole stands after every step but the one in which it falls
    for label, area in numbers["area"].items():
        assert (
            numbers["returns"]["test"][label][0] - 1 <= area <= numbers["returns"]["test"][label][0]
        )
    assert numbers["rising"] == 0, "no pole gets up again"
    assert numbers["direction"]["trained"][0] < 0.1, "before the first push nothing can be known"
    assert numbers["highest"] <= 1
    assert numbers["first_as_kept"]


def test_it_runs_from_top_to_bottom(executed):
    NOTEBOOK.check_clean(executed)
    NOTEBOOK.check_says_which_agents_it_shows(executed)


def test_its_numbers_hold_together(executed):
    check_fields(numbers_of(executed))


def test_the_published_policies_differ_by_memory(executed):
    numbers = numbers_of(executed)
    assert numbers["lead"][0] > 0
    assert max(numbers["direction"]["trained"]) > 0.8
    rl2 = numbers["fallen"]["RL², with memory"]
    without = numbers["fallen"]["without memory"]
    assert min(rl2) > min(
        without
    ), "where pushes go the wrong way round for it, a policy without memory fails"


def test_without_published_policies_it_trains_small_ones_and_says_so(tmp_path):
    notebook = NOTEBOOK.run(
        tmp_path,
        'PUBLISHED, NUM_TASKS, SMALL = "results/nowhere", 60, {"num_envs": 16, "iterations": 1}',
    )
    NOTEBOOK.check_clean(notebook)
    assert (
        "There is nothing in results/nowhere: small policies are trained here instead" in printed(
            notebook
        )
    )
    check_fields(numbers_of(notebook))


def test_what_is_committed_is_executed_and_clean():
    NOTEBOOK.check_committed()


def test_it_reads_results_through_the_package_only():
    NOTEBOOK.check_reads_through_the_package()
