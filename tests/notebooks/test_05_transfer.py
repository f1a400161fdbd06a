"""The notebook on transfer.

It runs from top to bottom, its numbers hold together, and what is committed is clean.
"""

import pandas as pd
import pytest

from metarl.runs.level_scores import COLUMNS
from tests.notebooks.running import Notebook, markdown_of, numbers_of, printed

PROBE = """
import json
print(json.dumps({
    "shared": max(shared.values()),
    "pictures": {label: len(pictures) for label, pictures in views.items()},
    "alike": sorted({picture.picture.tobytes() == other.picture.tobytes() for picture in views["training levels"] for other in views["new levels"]}),
    "known": {levels: each[:3] for levels, each in known.items()},
    "new": {levels: each[:3] for levels, each in new.items()},
    "gap": {levels: each[:3] for levels, each in gap.items()},
    "watched": [[episode.success, episode.total, episode.length] for episode in watched],
    "marked": [label for label in first],
    "place": [place, str(level.task_lists["test"][0]), str(numbers[place])],
    "alone": alone,
    "ends": {label: float(score_so_far(evaluation)[1][-1]) for label, evaluation in played.items()},
    "returns": {label: float(evaluation.returns[whole[label]].sum()) for label, evaluation in played.items()},
    "steps": {label: int(evaluation.length.sum()) for label, evaluation in played.items()},
    "coins": coins,
    "firsts": firsts,
    "games": sorted(scores),
    "leads": {" ".join(key): [list(lead) for lead in each] for key, each in ahead.items()},
    "board": board[["game", "agent", "score"]].to_dict("list"),
    "off": off,
    "worth": {pair[0]: each[:3] for pair, each in worth.items()},
}, default=float))
"""
RUNS = tuple(f"levels-{levels}-seed0" for levels in (10, 50, 200))
NOTEBOOK = Notebook("05_transfer.ipynb", "results/", figures=6, probe=PROBE, runs=RUNS)
FINE_TUNED = "Joint PPO, fine-tuned"
SCRATCH = "PPO from scratch"
JERK = "JERK"
COIN = 10  # what it pays
TINY = "SHOWN, NUM_WATCHED, NUM_PLAYED, HORIZON, BUDGET, UPDATE = 2, 3, 4, 120, 240, 64"


def check_fields(numbers, budget):
    """What holds of trained policies and of those that have hardly been trained."""
    assert numbers["shared"] == 0, "no new level is one of training"
    assert list(numbers["pictures"]) == ["training levels", "new levels", "new levels, hard"]
    assert numbers["alike"] == [False]
    for levels, (value, low, high) in numbers["gap"].items():
        assert value == pytest.approx(
            numbers["known"][levels][0] - numbers["new"][levels][0], abs=1e-4
        )
        assert low <= value <= high
    for success, total, _ in numbers["watched"]:
        assert total == (COIN if success else 0)
    outcomes = {
        "reaches the coin" if success else "misses it" for success, *_ in numbers["watched"]
    }
    assert set(numbers["marked"]) == outcomes
    place, played, named = numbers["place"]
    assert played == named, "the level of the protocol is the one that was watched"
    missed = [i for i, (success, *_) in enumerate(numbers["watched"]) if not success]
    assert (
        place == missed[0]
        if missed
        else all(numbers["watched"][place][2] >= length for *_, length in numbers["watched"])
    )
    for label, score in numbers["alone"].items():
        assert numbers["ends"][label] == pytest.approx(score), "the last score so far is the score"
        assert numbers["returns"][label] == COIN * numbers["coins"][label]
        assert numbers["steps"][label] == budget, "every step of the budget is played"
        assert (label in numbers["firsts"]) == (numbers["coins"][label] > 0)
    assert (
        numbers["off"] < 0.5
    ), "noted cells are checked by the quoted means of their columns, to the nearest integer"
    for value, low, high in numbers["worth"].values():
        assert low < value < high


def test_it_runs_from_top_to_bottom(executed):
    NOTEBOOK.check_clean(executed)
    NOTEBOOK.check_says_which_agents_it_shows(executed)


def test_its_numbers_hold_together(executed):
    check_fields(numbers_of(executed), budget=1200)


def test_the_published_policies_play_new_levels_the_better_the_more_they_know(executed):
    numbers = numbers_of(executed)
    assert numbers["gap"]["10"][1] > numbers["gap"]["200"][2], "the gap falls, intervals and all"
    assert numbers["new"]["200"][1] > numbers["new"]["10"][0]
    assert sum(success for success, *_ in numbers["watched"]) >= len(numbers["watched"]) / 2
    assert numbers["alone"][FINE_TUNED] > numbers["alone"][SCRATCH]


def test_without_published_policies_it_trains_small_ones_and_says_so(tmp_path):
    notebook = NOTEBOOK.run(tmp_path, f'PUBLISHED = "results/nowhere"; {TINY}')
    NOTEBOOK.check_clean(notebook)
    said = printed(notebook)
    assert (
        "There is nothing in results/nowhere of joint PPO on 10 and on 50 and on 200 levels: small"
        " ones are trained here instead"
        in said
    )
    assert "python benchmarks/coin_run/generalisation.py --publish makes it" in said
    assert "Not published yet: coin-run, airstriker, freeway, space-invaders, sonic." in said
    assert "The agents of section 4 stand in." in said
    numbers = numbers_of(notebook)
    check_fields(numbers, budget=240)
    assert dict(zip(numbers["board"]["agent"], numbers["board"]["score"], strict=True)) == {
        label: numbers["alone"][name]
        for label, name in (("Joint PPO", FINE_TUNED), ("PPO", SCRATCH), ("JERK", JERK))
    }
    value = numbers["leads"]["coin-run Joint PPO minus PPO"][0][0]
    assert value == numbers["alone"][FINE_TUNED] - numbers["alone"][SCRATCH]


def test_published_scores_are_compared_level_by_level(tmp_path):
    """Two levels, two seeds: joint training leads by 1, 2, 3 and 4."""
    folder = tmp_path / "published" / "sonic" / "airstriker"
    folder.mkdir(parents=True)
    lines = [
        [
            "airstriker",
            "test",
            agent,
            level,
            seed,
            900,
            10.0 * level + lead * (1 + 2 * level + seed),
            3,
            0.0,
            "x",
            "python it",
        ]
        for agent, lead in (("Joint PPO", 1), ("PPO", 0))
        for level in (0, 1)
        for seed in (0, 1)
    ]
    pd.DataFrame(lines, columns=COLUMNS).to_csv(folder / "scores.csv", index=False)
    notebook = NOTEBOOK.run(tmp_path, f"PUBLISHED = {str(folder.parents[1])!r}; {TINY}")
    NOTEBOOK.check_clean(notebook)
    said = printed(notebook)
    assert "Published: airstriker." in said
    assert "Not published yet: coin-run, freeway, space-invaders, sonic." in said
    numbers = numbers_of(notebook)
    assert numbers["games"] == ["airstriker"]
    by_seed, by_pair = numbers["leads"]["airstriker Joint PPO minus PPO"]
    assert by_seed == pytest.approx([2.5, -3.8531, 8.8531, 2, 0.95], abs=1e-4)
    assert by_pair == pytest.approx([2.5, 0.4457, 4.5543, 4, 0.95], abs=1e-4)
    assert (
        "airstriker: Joint PPO is neither clearly ahead of nor clearly behind PPO from scratch,"
        " +2.50 [-3.85, +8.85]."
        in " ".join(markdown_of(notebook))
    )


def test_what_is_committed_is_executed_and_clean():
    NOTEBOOK.check_committed()


def test_it_reads_results_through_the_package_only():
    NOTEBOOK.check_reads_through_the_package()
