"""The notebook on RL² in mazes.

It runs from top to bottom, its numbers hold together, and what is committed is clean.
"""

import pytest

from tests.notebooks.running import Notebook, markdown_of, numbers_of, printed

PROBE = """
import json
print(json.dumps({
    "steps": {label: matrix.mean(0).tolist() for label, matrix in lengths.items()},
    "below_shortest": int(sum((matrix < shortest[:, None]).sum() for matrix in lengths.values())),
    "returns": {label: evaluation.scores().mean() for label, evaluation in played.items()},
    "found": {label: matrix[:, -1].mean() for label, matrix in found.items()},
    "found_at_once": {label: matrix[:, 0].mean() for label, matrix in found.items()},
    "shares": shares.T.to_dict(),
    "beyond": {kind: {label: episode_lengths(each[label]).mean(0).tolist() for label in each} for kind, each in beyond.items()},
    "forgetful": [float((forgetful[:, i] - lengths["RL²"][:, 0]).mean()) for i in (0, 1)],
    "worth": [worth.low, worth.value, worth.high],
    "training": [float(curve[0]), int(taken[-1]), bool((np.diff(taken) > 0).all())],
    "parts": [[part.path.parent.name, int(part.metrics["steps"].iloc[-1]), float(part.metrics["return"].iloc[0])] for part in parts[0]],
    "goalless": -0.04 * 2 * cut,
}))
"""
NOTEBOOK = Notebook("02_mazes.ipynb", "results/rl2_mazes/weights/grid-maze", figures=8, probe=PROBE)


def test_it_runs_from_top_to_bottom(executed):
    NOTEBOOK.check_clean(executed)
    NOTEBOOK.check_says_which_agents_it_shows(executed)


def test_its_numbers_hold_together(executed):
    numbers = numbers_of(executed)
    steps = numbers["steps"]
    shares = numbers["shares"]
    assert numbers["below_shortest"] == 0, "nobody is faster than the shortest path"
    assert steps["known maze"][0] == steps["known maze"][1]
    assert numbers["returns"]["known maze"] == pytest.approx(
        2 - 0.04 * sum(steps["known maze"]), abs=1e-4
    ), "-0.04 a step, 1 on the goal"
    assert 14 < steps["systematic explorer"][0] < 24
    assert (
        steps["systematic explorer"][1] == steps["known maze"][0]
    ), "the only path in a perfect maze"
    explorer = shares["systematic explorer"]
    assert explorer["second is shortest"] == 1
    assert explorer["of the improvable"] == 1
    assert explorer["second is shorter, of all"] == pytest.approx(1 - explorer["first is shortest"])
    found = numbers["found"]
    assert (
        found["known maze"] == found["systematic explorer, episode 1"] == 1
    ), "no 5 x 5 maze takes 60 steps to search"
    assert numbers["found_at_once"]["known maze"] == pytest.approx(
        0.08, abs=0.06
    ), "neighbouring cells"
    for each in numbers["beyond"].values():
        assert each["known maze"][0] < each["systematic explorer"][0]
    assert numbers["forgetful"] == [
        0,
        0,
    ], "nothing is random, so an emptied memory repeats the first episode"


def test_the_training_is_told_from_its_first_run_on(executed):
    numbers = numbers_of(executed)
    first, steps, rises = numbers["training"]
    parts = numbers["parts"]
    assert rises, "one run's steps come after the other's"
    assert steps == sum(part[1] for part in parts)
    assert first == parts[0][2]
    assert (
        numbers["goalless"] * 1.1 < first < 0
    ), "an agent that hasn't learned yet finds some goals"
    if NOTEBOOK.is_published():
        assert [part[0] for part in parts] == ["grid-maze-1000", "grid-maze-endless", "grid-maze"]
    said = next(text for text in markdown_of(executed) if "starts its training at" in text)
    assert f"starts its training at {first:.2f}" in said
    assert f"after {steps:,} steps in all" in said


def test_the_published_agents_remember(executed):
    numbers = numbers_of(executed)
    steps = numbers["steps"]["RL²"]
    known = numbers["steps"]["known maze"][0]
    assert steps[0] < 25
    assert steps[1] < 1.1 * known
    assert numbers["shares"]["RL²"]["of the improvable"] > 0.9
    assert numbers["worth"][0] > 5


def test_without_published_agents_it_trains_a_small_one_and_says_so(tmp_path):
    small = (
        'RL2Config(episodes=2, num_envs=16, iterations=1, network=NetworkConfig("spatial_memory"))'
    )
    notebook = NOTEBOOK.run(
        tmp_path, f'PUBLISHED, NUM_MAZES, NUM_BEYOND, SMALL = "results/nowhere", 24, 8, {small}'
    )
    NOTEBOOK.check_clean(notebook)
    assert "There is nothing in results/nowhere: a small RL² is trained here instead" in printed(
        notebook
    )
    numbers = numbers_of(notebook)
    assert numbers["steps"]["RL²"][0] > numbers["steps"]["known maze"][0]
    assert numbers["forgetful"] == [0, 0]


def test_what_is_committed_is_executed_and_clean():
    NOTEBOOK.check_committed()


def test_it_reads_results_through_the_package_only():
    NOTEBOOK.check_reads_through_the_package()
