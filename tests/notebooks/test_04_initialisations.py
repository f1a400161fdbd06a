"""The notebook on initialisations.

It runs from top to bottom, its numbers hold together, and what is committed is clean.
"""

import pytest

from tests.notebooks.running import Notebook, numbers_of, printed

PROBE = """
import json
print(json.dumps({
    "errors": {label: [evaluation.scores(step).mean() for step in (0, K, STEPS)] for label, evaluation in middle.items()},
    "fingerprints": sorted({evaluation.fingerprint for evaluation in scored.values()}),
    "zero": nothing.value,
    "inside": {label: [losses.query[step] for step in (0, 1, 8, STEPS)] for label, losses in inside.items()},
    "wave": errors_on_wave,
    "first_step_on_the_points": {label: float(losses.support[1] - losses.support[0]) for label, losses in inside.items()},
    "one_point": {label: [float(move[np.abs(told_once[label].x - told_once[label].shown[0, 0]).argmin()]),
                          float(told_once[label].shown[0, 1])] for label, move in moved.items()},
    "drawn": {label: matrix.mean(0).tolist() for label, matrix in drawn.items()},
    "above_goal": max(float((matrix - goal[:, None]).max()) for matrix in ways.values()),
    "longest": max(len(path) for each in walks.values() for paths in each.places.values() for path in paths),
    "ends": {label: [misses(label, update).mean() for update in updates] for label in walks},
    "closed": {label: list(closed[label, "drawn"][:3]) for label in policies},
    "lead": [lead.low, lead.value],
    "agents": sorted(set(scores["agent"])),
    "table": scores.groupby("agent")["return"].apply(list).to_dict(),
    "steps": scores.groupby("agent")["steps_before"].apply(list).to_dict(),
}))
"""
SINE = tuple(
    f"{learner}-seed{seed}"
    for learner in ("joint-training", "reptile", "fomaml", "maml")
    for seed in range(3)
)
POLICIES = ("maml-trpo-seed0", "joint-training-fine-tuned-seed0")
SMALLER = "NUM_WAVES, NUM_GOALS = 300, 16"
NOTEBOOK = Notebook("04_initialisations.ipynb", "results/", 7, PROBE, (*SINE, *POLICIES), SMALLER)


def check_fields(numbers):
    """What holds of trained learners and of those that have hardly been trained."""
    errors = numbers["errors"]
    zero = numbers["zero"]
    assert len(numbers["fingerprints"]) == 1, "all learners are shown the same waves"
    assert zero == pytest.approx(
        4.25, abs=0.9
    ), "E[a²] / 2 of amplitudes from 0.1 to 5; four standard errors of 300 waves"
    for label, (before, after, last) in errors.items():
        assert last < before
        assert (after < before) or label == "Joint training"
        for step, error in zip((0, 1, 8, 32), numbers["inside"][label], strict=True):
            assert numbers["wave"][label][str(step)] == pytest.approx(
                error, rel=1e-4
            ), "figures 1 and 3 show the same inner loop"
        assert (
            numbers["first_step_on_the_points"][label] < 0
        ), "a step goes down on what it was computed on"
        move, right = numbers["one_point"][label]
        assert move * right > 0, "one step on one point moves the answer there towards the point"
    assert errors["MAML"][1] < 0.9 * errors["Joint training"][1]
    assert numbers["above_goal"] < 1e-4, "nobody does better than with the goal known"
    assert 2 <= numbers["longest"] <= 101
    for ends in numbers["ends"].values():
        assert all(
            0 <= end < 15 for end in ends
        ), "the plane ends 10 from the start along each axis"
    assert numbers["lead"][0] < numbers["lead"][1]
    assert {"MAML, TRPO", "Joint training, fine-tuned", "Known goal"} <= set(numbers["agents"])
    for steps in numbers["steps"].values():
        assert steps[0] == 0
        assert steps == sorted(steps)


def test_it_runs_from_top_to_bottom(executed):
    NOTEBOOK.check_clean(executed)
    NOTEBOOK.check_says_which_agents_it_shows(executed)


def test_its_numbers_hold_together(executed):
    check_fields(numbers_of(executed))


def test_the_published_learners_adapt(executed):
    numbers = numbers_of(executed)
    joint = numbers["errors"]["Joint training"][2]
    for label in ("Reptile", "FOMAML", "MAML"):
        assert numbers["errors"][label][2] < 0.1 * joint
        assert (
            numbers["errors"][label][0] > 0.9 * numbers["zero"]
        ), "before the first step it knows nothing of the wave"
    value, low, _ = numbers["closed"]["MAML, TRPO"]
    assert low < value
    assert value > 0.8
    assert value > numbers["closed"]["Joint training, fine-tuned"][0]
    assert (
        numbers["lead"][0] > 0
    ), "three updates lead further from MAML's weights than from joint training's"
    assert numbers["ends"]["MAML, TRPO"][-1] < numbers["ends"]["MAML, TRPO"][0] / 2


def test_without_published_learners_it_trains_small_ones_and_says_so(tmp_path):
    parameters = (
        'PUBLISHED, NUM_WAVES, NUM_GOALS, NUM_TUNING = "results/nowhere", 300, 6, 4; TRAINED,'
        ' SMALL_SINE = (0,), {"iterations": 100}'
    )
    notebook = NOTEBOOK.run(tmp_path, parameters)
    NOTEBOOK.check_clean(notebook)
    said = printed(notebook)
    assert (
        "There is nothing in results/nowhere of Joint training on waves, seed 0; Reptile on waves,"
        " seed 0;"
        in said
    )
    assert "small ones are trained here instead" in said
    assert "python benchmarks/maml_rl/initialisation_rl.py --publish makes it" in said
    assert "python benchmarks/reptile/few_shot.py --publish makes it" in said
    numbers = numbers_of(notebook)
    check_fields(numbers)
    assert len(numbers["agents"]) == 3
    for label, returns in numbers["drawn"].items():
        assert numbers["table"][label] == pytest.approx(
            returns
        ), "the table that stands in says what the figure shows"


def test_what_is_committed_is_executed_and_clean():
    NOTEBOOK.check_committed()


def test_it_reads_results_through_the_package_only():
    NOTEBOOK.check_reads_through_the_package()
