"""Levels one by one.

What is stored, what isn't played twice, and the leaderboard worked out by hand.
"""

import fcntl
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from metarl.agents.random import RandomAgent
from metarl.core.budget import Steps
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.one_task import one_task
from metarl.evaluation.protocol import evaluate
from metarl.runs.level_scores import COLUMNS, Plan, leaderboard, leads, play_levels, stored_scores
from tests.checks.line import Line

LINES = GymnasiumDistribution(
    "Line-v0", Line, {"train": [-3.0, 3.0], "test": [-2.5, 2.5, 1.0]}, horizon=8
)
PLAN = Plan("lines", "Random", LINES, (0, 2), (5, 6), 40, "python mine.py")


def random(distribution, budget, seed):
    return RandomAgent(distribution, budget)


def test_every_level_and_seed_is_scored_by_evaluate(tmp_path):
    play_levels(PLAN, random, tmp_path)
    scores = stored_scores(tmp_path)
    assert scores.columns.tolist() == COLUMNS
    assert sorted(zip(scores["level"], scores["seed"], strict=True)) == [
        (-2.5, 5),
        (-2.5, 6),
        (1.0, 5),
        (1.0, 6),
    ]
    alone = one_task(LINES, "test", 2)
    wanted = evaluate(RandomAgent(alone, Steps(40)), alone, "test", 1, 6, Steps(40))
    own = scores[(scores["level"] == 1.0) & (scores["seed"] == 6)].iloc[0]
    assert own["score"] == pytest.approx(wanted.scores("budget_mean")[0])
    assert own["fingerprint"] == wanted.fingerprint
    episodes = pd.concat(pd.read_csv(file) for file in (tmp_path / "played").glob("*-episodes.csv"))
    assert episodes["length"].sum() == 4 * 40


def test_what_is_scored_or_under_way_elsewhere_is_left_alone(tmp_path):
    made = []

    def counted(distribution, budget, seed):
        made.append(distribution.task_lists["test"][0])
        return RandomAgent(distribution, budget)

    tmp_path.mkdir(exist_ok=True)
    plan = Plan("lines", "Random", LINES, (0, 1, 2), (5,), 40, "")
    with plan.file(tmp_path, 1, 5).with_suffix(".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        play_levels(plan, counted, tmp_path)
    assert made == [-2.5, 1.0]
    play_levels(plan, counted, tmp_path)
    assert made == [-2.5, 1.0, 2.5]


def test_what_is_known_already_is_not_played_again(tmp_path):
    play_levels(replace(PLAN, seeds=(5,)), random, tmp_path / "one")
    play_levels(PLAN, random, tmp_path / "two", stored_scores(tmp_path / "one"))
    assert stored_scores(tmp_path / "two")["seed"].tolist() == [6, 6]
    play_levels(PLAN, random, tmp_path / "three", pd.DataFrame(columns=COLUMNS))
    assert len(stored_scores(tmp_path / "three")) == 4


def test_the_leaderboard_is_the_mean_over_levels_with_an_interval_over_seeds():
    values = {
        ("A", "x", 0): 1.0,
        ("A", "y", 0): 3.0,
        ("A", "x", 1): 2.0,
        ("A", "y", 1): 6.0,
        ("B", "x", 0): 9.0,
        ("B", "y", 0): 1.0,
    }
    lines = [
        {
            "game": "g",
            "split": "test",
            "agent": agent,
            "level": level,
            "seed": seed,
            "steps": 10,
            "score": score,
            "episodes": 1,
            "success": 0.0,
        }
        for (agent, level, seed), score in values.items()
    ]
    scores = pd.DataFrame(lines).assign(fingerprint="")
    table = leaderboard(scores.assign(command=[f"run {seed}" for seed in scores["seed"]]))
    assert table["command"].tolist() == ["run 0", "run 0 && run 1"]
    assert table["agent"].tolist() == ["B", "A"]
    assert table["score"].tolist() == [5.0, 3.0]
    assert table["over"].tolist() == ["levels", "seeds"]
    half = 12.7062 * 1.0  # t with one degree of freedom; seeds score 2 and 4, standard error 1
    assert np.allclose(
        table.loc[1, ["ci_low", "ci_high"]].astype(float), [3 - half, 3 + half], atol=1e-3
    )


def test_a_folder_without_scores(tmp_path):
    with pytest.raises(ValueError, match="holds no scores of levels"):
        stored_scores(tmp_path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"levels": (0, 3)}, "lines has no test level 3; it has 3, counted from 0"),
        ({"levels": ()}, "at least one level"),
        ({"seeds": ()}, "at least one level, one seed"),
        ({"steps": 0}, "one step"),
        ({"split": "extrapolate"}, "no split 'extrapolate'"),
    ],
)
def test_bad_plans(change, problem):
    with pytest.raises(ValueError, match=problem):
        replace(PLAN, **change)


def test_leads_by_pair_and_by_seed():
    # By level and seed
    sides = {"Joint PPO": {(0, 0): 5.0, (1, 0): 7.0, (0, 1): 4.0, (1, 1): 4.0, (0, 2): 9.0}}
    sides["PPO"] = {(0, 0): 4.0, (1, 0): 2.0, (0, 1): 3.0, (1, 1): 2.0, (0, 2): 7.0, (1, 2): 8.0}
    rows = [(agent, *which, score) for agent, own in sides.items() for which, score in own.items()]
    scores = pd.DataFrame(rows, columns=["agent", "level", "seed", "score"])
    ahead = leads(scores, "Joint PPO", "PPO")
    seeds, pairs = ahead
    assert (pairs.value, pairs.n) == (pytest.approx(np.mean([1, 5, 1, 2, 2])), 5)
    assert (seeds.value, seeds.n) == (
        pytest.approx(np.mean([3, 1.5])),
        2,
    ), "the third seed has played one level of two"
    more = pd.concat(
        [scores, pd.DataFrame([("PPO", 2, 0, 1.0), ("PPO", 2, 1, 1.0)], columns=scores.columns)]
    )
    assert leads(more, "Joint PPO", "PPO") == ahead, "a level that one has played alone"
    alone = leads(scores[scores["seed"] == 1], "Joint PPO", "PPO")
    assert (alone.by_seed.value, alone.by_seed.n, alone.by_seed.high) == (1.5, 1, np.inf)
    assert (
        leads(scores[(scores["seed"] == 2) | (scores["level"] == 1)], "PPO", "Joint PPO").by_pair.n
        == 3
    )
    assert leads(scores, "Joint PPO", "JERK") == (None, None)


def test_a_broken_file_of_scores_does_not_hide_the_others(tmp_path):
    play_levels(replace(PLAN, seeds=(5,)), random, tmp_path)
    good = len(stored_scores(tmp_path))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "words.csv").write_text(
        ",".join(COLUMNS) + "\n" + ",".join("x" * len(COLUMNS)) + "\n"
    )
    with pytest.warns(UserWarning, match="is left out") as warned:
        assert len(stored_scores(tmp_path)) == good
    assert {
        name
        for name in ("empty", "bytes", "words")
        for each in warned
        if f"{name}.csv" in str(each.message)
    } == {
        "empty",
        "bytes",
        "words",
    }


def test_one_level_and_seed_has_no_interval():
    one = pd.DataFrame(
        [["lines", "test", "PPO", "a", 0, 100, 2.0, 3, 0.0, "f", "python"]], columns=COLUMNS
    )
    assert leaderboard(one)[["ci_low", "ci_high"]].isna().all(axis=None)
