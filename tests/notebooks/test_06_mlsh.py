"""The notebook on MLSH.

It runs from top to bottom, its numbers hold together, and what is committed is clean.
"""

from dataclasses import replace

import pytest

from metarl.suites.published import published_picture
from tests.notebooks.running import ROOT, Notebook, markdown_of, numbers_of, printed

PROBE = """
import json
print(json.dumps({
    "bound": bound,
    "levels": levels,
    "iterations": len(log),
    "played": {seed: own.mean(0).tolist() for seed, own in live.items()},
    "tasks": whole,
    "bits": bits,
    "last": {label: float(own.mean()) for label, own in last.items()},
    "leads": {label: [lead.low, lead.value, lead.high] for label, lead in leads.items()},
    "table": {label: estimate.value for label, estimate in estimates.items()},
    "reached": reached,
    "watched": [[int(recording.tasks.correct[task]), *each] for task, each in shares.items()],
    "own": {label: each.mean(0).tolist() for label, each in own_stages.items()},
    "straight": float(straight.mean()),
    "own_bits": own_bits,
}, default=float))
"""
RUNS = tuple(f"moving-bandits-mlsh-seed{seed}" for seed in range(3))
PICTURES = (
    "two-walk-ways-seed0",
    "two-walk-ways-seed1",
    "two-walk-training",
    "obstacle-course-seed0",
    "four-rooms-room",
    "four-rooms-upper-room",
)
DRAWN = 8
SHOWN = sum(published_picture(ROOT / "results", "mlsh", name) is not None for name in PICTURES)
SMALLER = "TRAINED, NUM_TASKS = SEEDS[:2], 20"
NOTEBOOK = Notebook("06_mlsh.ipynb", "results/", DRAWN + SHOWN, PROBE, RUNS, SMALLER)
WHOLE = "MLSH"
SCRATCH = "PPO from scratch"
KNOWN = "Known goal"


def check_fields(numbers):
    """What holds of trained learners and of those that have hardly been trained."""
    levels = numbers["levels"]
    bound = numbers["bound"]
    assert bound == pytest.approx(43.81, abs=0.01)
    assert levels[KNOWN] == pytest.approx(bound, abs=0.6)  # four standard errors of 400 episodes
    assert bound > levels["Always one goal"] > levels["Random master"] > levels["Random"] > 0
    for seed, own in numbers["bits"].items():
        assert own[0] < 0.1, "a new master knows nothing of the task"
        assert all(0 <= each <= numbers["tasks"] + 1e-9 for each in own)
        assert len(own) == len(numbers["played"][seed])
    for value in [
        *numbers["last"].values(),
        *(each for own in numbers["played"].values() for each in own),
    ]:
        assert 0 <= value < bound + 1
    for label, (low, value, high) in numbers["leads"].items():
        assert value == pytest.approx(numbers["last"][WHOLE] - numbers["last"][label], abs=1e-3)
        assert low < value < high
    for count, of in numbers["reached"].values():
        assert 0 <= count <= of
    for _, early, late in numbers["watched"]:
        assert sum(early) == pytest.approx(1)
        assert sum(late) == pytest.approx(1)
    for returns in numbers["own"].values():
        assert all(0 <= each <= numbers["straight"] + 0.5 for each in returns)


def test_it_runs_from_top_to_bottom(executed):
    NOTEBOOK.check_clean(executed)
    NOTEBOOK.check_says_which_agents_it_shows(executed)


def test_its_numbers_hold_together(executed):
    numbers = numbers_of(executed)
    check_fields(numbers)
    assert numbers["iterations"] == 4


def test_the_published_sub_policies_let_masters_learn(executed):
    numbers = numbers_of(executed)
    for seed, own in numbers["played"].items():
        assert own[0] < 24, "a new master draws one of two"
        assert own[-1] > 35
        assert numbers["bits"][seed][-1] > 0.5
    assert numbers["table"][WHOLE] > 40
    assert numbers["leads"][SCRATCH][0] > 0
    of_goal = {
        correct: max(range(len(late)), key=late.__getitem__)
        for correct, _, late in numbers["watched"]
    }
    assert len(of_goal) == len(set(of_goal.values())) == 2, "each goal has a sub-policy of its own"


def test_own_corridors_are_learned(executed):
    numbers = numbers_of(executed)
    own = numbers["own"][WHOLE]
    assert own[-1] > own[0] + 3
    assert own[-1] > numbers["own"]["Random"][-1] + 8
    assert numbers["own_bits"][-1] > numbers["own_bits"][0]


def test_published_pictures_are_shown_and_missing_ones_named(executed):
    missing = [text for text in markdown_of(executed) if "isn't published yet" in text]
    assert len(missing) == len(PICTURES) - SHOWN
    assert all("--publish` draws it" in text for text in missing)


def test_without_published_learners_it_trains_small_ones_and_says_so(tmp_path):
    notebook = NOTEBOOK.run(
        tmp_path,
        'PUBLISHED, TRAINED, NUM_TASKS, MOMENT, OWN_ITERATIONS = "results/nowhere", (0, 1), 20,'
        " 2, 3",
    )
    replace(NOTEBOOK, figures=DRAWN).check_clean(notebook)
    said = printed(notebook)
    assert (
        "There is nothing in results/nowhere of MLSH on moving bandits, seed 0 and 1: small ones"
        " are trained here instead"
        in said
    )
    assert (
        "The benchmark's file isn't there (python benchmarks/mlsh/moving_bandits.py --publish makes"
        " it): MLSH as above and PPO from scratch stand in"
        in said
    )
    assert "these are the agents of sections 1 and 2." in said
    unpublished = " ".join(markdown_of(notebook))
    assert unpublished.count("isn't published yet") == len(PICTURES)
    assert "No figure of FourRooms is published yet." in unpublished
    numbers = numbers_of(notebook)
    check_fields(numbers)
    assert numbers["iterations"] == 2
    ends = [own[-1] for own in numbers["played"].values()]
    assert numbers["table"][WHOLE] == pytest.approx(sum(ends) / len(ends))
    assert numbers["last"][WHOLE] == pytest.approx(numbers["table"][WHOLE])


def test_what_is_committed_is_executed_and_clean():
    NOTEBOOK.check_committed()


def test_it_reads_results_through_the_package_only():
    NOTEBOOK.check_reads_through_the_package()
