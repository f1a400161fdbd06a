"""Repeats of a task are no new information.

Every interval counts distinct tasks, for every family that has few of them.
"""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

import metarl
from metarl.core.capabilities import every_task, task_count_of
from metarl.core.registry import make
from metarl.core.reveal import reveal
from metarl.core.task_distribution import row_keys
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.evaluation.bootstrap import (
    bootstrap,
    mean_of_counts,
)
from metarl.evaluation.ceiling import Ceiling, normalised_score
from metarl.evaluation.episodes import episode_lengths
from metarl.evaluation.protocol import MOST_TASKS, evaluate
from metarl.evaluation.scores import Scores, scores_of
from metarl.evaluation.statistics import (
    beats,
    generalisation_gap,
    interquartile_mean,
    mean,
    mean_over_seeds,
    median_over_seeds,
    paired_difference,
    performance_profile,
    probability_of_improvement,
    ratio_of_means,
    share,
)
from tests.checks.line import Line

RNG = np.random.default_rng(3)
GAINS = np.round(RNG.normal(1, 0.4, 40), 6)  # of one agent in 40 tasks, and of another
OTHER = np.round(GAINS - RNG.normal(0.3, 0.2, 40), 6)
RIGHT = (GAINS > 1).astype(float)
TIMES = 25


def fresh():
    return np.random.default_rng(0)


INTERVALS = {  # each of (scores, other scores of the same tasks, right or wrong, labels or None)
    "mean": lambda x, y, r, t: mean(x, tasks=t),
    "interquartile mean": lambda x, y, r, t: interquartile_mean(x, tasks=t),
    "share": lambda x, y, r, t: share(r, tasks=t),
    "share, all right": lambda x, y, r, t: share(r * 0 + 1, tasks=t),
    "median over seeds": lambda x, y, r, t: median_over_seeds(
        np.stack([x, y, x + y]), fresh(), tasks=t
    ),
    "ratio of medians": lambda x, y, r, t: median_over_seeds(
        np.stack([x, y]), fresh(), relative_to=x + 2, tasks=t
    ),
    "mean over seeds": lambda x, y, r, t: mean_over_seeds(np.stack([x, y]), tasks=t),
    "paired difference": lambda x, y, r, t: paired_difference(x, y, tasks=t).difference,
    "ratio of means": lambda x, y, r, t: ratio_of_means(y, x, tasks=t),
    "gap": lambda x, y, r, t: generalisation_gap(x, y, train_tasks=t, test_tasks=t).difference,
    "improvement": lambda x, y, r, t: probability_of_improvement(x, y, tasks=t),
    "improvement, unpaired": lambda x, y, r, t: probability_of_improvement(
        x, y, paired=False, tasks=t, other_tasks=t
    ),
    "normalised": (
        lambda x, y, r, t: normalised_score(x, y, Ceiling(2.0, "optimum", None), tasks=t).estimate
    ),
    "normalised, per task": lambda x, y, r, t: (
        normalised_score(
            x, y, Ceiling(float(np.mean(x + 1)), "b", np.asarray(x) + 1), tasks=t
        ).estimate
    ),
    "bootstrap": lambda x, y, r, t: bootstrap(x, mean_of_counts, fresh(), tasks=t),
    "interquartile mean over seeds": lambda x, y, r, t: interquartile_mean([x, y], tasks=t),
    "paired difference over seeds": lambda x, y, r, t: (
        paired_difference([x, y], [x - y, y - 1], tasks=t).difference
    ),
    "gap over seeds": lambda x, y, r, t: (
        generalisation_gap([x, y], [y, x], train_tasks=t, test_tasks=t).difference
    ),
    "improvement over seeds": lambda x, y, r, t: probability_of_improvement(
        [x, y], [y, x], tasks=t
    ),
    "profile": lambda x, y, r, t: performance_profile(x, [1.0], tasks=t)[0],
    "profile over seeds": lambda x, y, r, t: performance_profile([x, y], [1.0], tasks=t)[0],
}
# Two seeds keep an interval wide, however many tasks there are
OVER_SEEDS = [name for name in INTERVALS if "over seeds" in name and "median" not in name]
DRAWN = ("bootstrap",)  # widths differ by luck


@pytest.mark.parametrize("name", INTERVALS)
def test_playing_every_task_again_leaves_the_interval_as_it_is(name):
    interval = INTERVALS[name]
    once = interval(GAINS, OTHER, RIGHT, None)
    again = [np.tile(each, TIMES) for each in (GAINS, OTHER, RIGHT)]
    labels = np.tile(np.arange(40), TIMES)
    for repeated in (
        interval(*again, labels),
        interval(*(scores_of(each, labels) for each in again), None),
    ):
        assert repeated.value == pytest.approx(once.value)
        assert repeated.n == once.n
        tolerance = (
            0.1 if name in DRAWN or "median" in name else 0.15 if "quartile" in name else 1e-6
        )
        assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=tolerance)
    narrow = interval(*again, None)  # rows that nobody said anything of count one by one
    assert name in OVER_SEEDS or narrow.high - narrow.low < 0.5 * (once.high - once.low)
    distinct = interval(*(scores_of(each, np.arange(40)) for each in (GAINS, OTHER, RIGHT)), None)
    assert distinct == once, "with all tasks distinct nothing changes, to the last bit"


def test_p_values_count_tasks():
    labels = np.tile(np.arange(40), TIMES)
    once = paired_difference(GAINS, OTHER + 0.3)
    again = paired_difference(np.tile(GAINS, TIMES), np.tile(OTHER + 0.3, TIMES), tasks=labels)
    assert again.p_value == pytest.approx(once.p_value)
    lucky = scores_of(np.repeat([1.3, 0.9, 1.1], 500), np.repeat([0, 1, 2], 500))
    assert not beats(lucky, 1.0)
    assert beats(np.asarray(lucky), 1.0)


@pytest.mark.parametrize("plays", [(6,) * 20, tuple(range(1, 21))], ids=["balanced", "unbalanced"])
def test_intervals_hold_the_true_mean_as_often_as_they_say(plays):
    rng = np.random.default_rng(1)
    tasks = np.repeat(np.arange(20), plays)
    held = 0
    naive = 0
    for _ in range(1000):
        scores = rng.normal(0, 1, 20)[tasks] + rng.normal(0, 0.5, len(tasks))
        clustered = mean(scores, tasks=tasks)
        plain = mean(scores)
        held += clustered.low < 0 < clustered.high
        naive += plain.low < 0 < plain.high
    # Of 950 wanted; with unequal numbers of plays the t interval is a little narrow
    assert held > 900
    assert naive < 750


def test_intervals_over_seeds_and_tasks_hold_for_new_seeds():
    rng = np.random.default_rng(2)
    held = 0
    over_tasks = 0
    for _ in range(1000):
        scores = rng.normal(0, 1, (4, 1)) + rng.normal(0, 1, (1, 30)) + rng.normal(0, 0.5, (4, 30))
        both = mean_over_seeds(scores)
        tasks_only = mean(scores.mean(0))
        held += both.low < 0 < both.high
        over_tasks += tasks_only.low < 0 < tasks_only.high
    assert 930 < held < 985
    assert over_tasks < 700
    assert mean_over_seeds(GAINS[None]) == mean(GAINS)
    assert mean_over_seeds(GAINS) == mean(GAINS)


def test_one_task_has_no_interval_however_often_it_is_played():
    for estimate in (
        mean([2.0]),
        mean(np.arange(5.0), tasks=[0] * 5),
        mean_over_seeds(np.ones((3, 4)), tasks=["a"] * 4),
    ):
        assert not estimate.known
        assert estimate.n == 1
        assert "inf" not in f"{estimate} {estimate!r}"
        assert "no interval" in str(estimate)
    assert "inf" not in str(bootstrap(np.arange(5.0), mean_of_counts, fresh(), tasks=[0] * 5))


def test_labels_of_another_number_of_tasks_are_refused():
    with pytest.raises(ValueError, match="name the task of each of the 40 scores"):
        mean(GAINS, tasks=[1, 2])
    with pytest.raises(ValueError, match="Each score has a task"):
        scores_of(GAINS, [1, 2])


KEYS = np.array([7, 7, 8, 9], np.uint64)


def made(values=(1.0, 2.0, 3.0, 4.0)):
    return scores_of(np.array(values), KEYS)


@pytest.mark.parametrize(
    ("result", "keys"),
    [
        (lambda x: x[1:], KEYS[1:]),
        (lambda x: x[::-1], KEYS[::-1]),
        (lambda x: x[[3, 0]], KEYS[[3, 0]]),
        (lambda x: x[x > 1.5], KEYS[1:]),
        (lambda x: x - made(), KEYS),
        (lambda x: 2 * x, KEYS),
        (lambda x: np.maximum(x, np.zeros(4)), KEYS),
        (lambda x: pickle.loads(pickle.dumps(x)), KEYS),
        (copy.copy, KEYS),
        (copy.deepcopy, KEYS),
        (lambda x: x.astype(np.float32), KEYS),
        (lambda x: np.stack([x, x])[1], KEYS),
        (lambda x: np.stack([x, x]).mean(0), KEYS),
        (lambda x: np.concatenate([x[:2], x[2:]]), KEYS),
        (lambda x: np.asarray(x), None),
        (lambda x: np.sort(x), None),
        (lambda x: np.roll(x, 1), np.roll(KEYS, 1)),
        (lambda x: x.reshape(2, 2), KEYS.reshape(2, 2)),
        (lambda x: x.reshape(2, 2).ravel(), KEYS),
        (lambda x: np.stack([x, x]).T[:, 1], KEYS),
        (lambda x: np.stack([x, x, x, x, x, x], 1).reshape(4, 2, 3).mean(2)[:, 1], KEYS),
        (lambda x: np.mean(np.stack([x, x, x]), axis=0), KEYS),
        (lambda x: np.stack([x, x, x, x], 1).reshape(4, 2, 2).mean((1, 2)), KEYS),
        (lambda x: np.split(np.stack([x, x], 1), 2, axis=1)[1][:, 0], KEYS),
        (lambda x: list(np.stack([x, x]).T.T)[1], KEYS),
        (lambda x: np.stack([x, x]).mean(1), None),
        (lambda x: np.cumsum(x), None),
        (lambda x: np.stack([x, x], 1).flatten(), np.repeat(KEYS, 2)),
        (lambda x: x[:, None].squeeze(), KEYS),
        (lambda x: np.stack([x, x], 1).swapaxes(0, 1)[0], KEYS),
        (lambda x: np.moveaxis(np.stack([x, x], 1), 0, 1)[0], KEYS),
        (lambda x: x.repeat(2), np.repeat(KEYS, 2)),
        (lambda x: x.compress([False, True, True, True]), KEYS[1:]),
        (lambda x: np.delete(x, 0), KEYS[1:]),
        (lambda x: np.clip(x, 0, 1), KEYS),
        (lambda x: x.clip(0, 1), KEYS),
        (lambda x: x.round(1), KEYS),
        (lambda x: np.where(x > 2, x, 0.0), KEYS),
        (lambda x: np.nan_to_num(x), KEYS),
        (lambda x: np.stack([x, x], 1).cumsum(1)[:, 1], KEYS),
        (lambda x: np.cumsum(np.stack([x, x], 1), axis=1)[:, 1], KEYS),
        (lambda x: np.cumsum(np.stack([x, x], 1), axis=0), None),
        (lambda x: np.max(np.stack([x, x], 1), axis=1), KEYS),
        (lambda x: np.median(np.stack([x, x], 1), 1), KEYS),
        (lambda x: np.median(np.stack([x, x], 1), -1, keepdims=True)[:, 0], KEYS),
        (lambda x: np.median(np.stack([x, x], 1), 0), None),
        (lambda x: np.nanmean(np.stack([x, x], 1), axis=1), KEYS),
        (lambda x: np.quantile(np.stack([x, x], 1), [0.2, 0.5], axis=1)[1], KEYS),
        (lambda x: np.any(np.stack([x, x], 1) > 2, axis=1), KEYS),
        (lambda x: np.stack([x, x], 1).mean(1, keepdims=True)[:, 0], KEYS),
        (lambda x: np.stack([x, x], 1) @ np.ones(2), None),
    ],
)
def test_keys_follow_their_scores_or_are_dropped(result, keys):
    found = result(made())
    if keys is None:
        assert getattr(found, "task_keys", None) is None
    else:
        assert isinstance(found, Scores)
        assert found.task_keys.tolist() == keys.tolist()


def test_scores_are_ordinary_arrays_elsewhere():
    x = made()
    assert (type(x.mean()), type(x[0]), type(np.mean(x)), np.median(x)) == (
        np.float64,
        np.float64,
        np.float64,
        2.5,
    )
    assert pd.DataFrame({"x": x})["x"].tolist() == x.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert torch.from_numpy(x).sum() == 10
    total = made()
    total += x
    assert total.tolist() == [2, 4, 6, 8]
    # The same only where both say so
    apart = x - scores_of(np.zeros(4), np.array([1, 2, 3, 3], np.uint64))
    assert len(set(apart.task_keys.tolist())) == 4


def test_keys_are_of_content():
    tasks = torch.tensor([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    keys = row_keys([tasks])
    assert keys[0] == keys[1] == keys[3] != keys[2]
    assert len(np.unique(row_keys([torch.arange(200_000)]))) == 200_000
    assert (
        len(np.unique(row_keys([torch.randint(0, 2, (1000, 11, 11)).bool(), torch.arange(1000)])))
        == 1000
    )


FINITE = {
    "GridNavi-v0": ({}, 21),
    "FourRooms-v0": ({}, 26),
    "FourRooms-v0, room": ({"goals": "room"}, 5),
    "FourRooms-v0, released": ({"goals": "released"}, 1),
    "MovingBandits-v0": ({}, 2),
    "HalfCheetahDirection-2way-h200-v0": ({"horizon": 3}, 2),
    "AntDirection-2way-h200-v0": ({"horizon": 3}, 2),
    "AntTwoWalk-v0": ({"horizon": 3}, 2),
    "AntObstacle-v0": ({"horizon": 3}, 1),
    "AntMaze-v0": ({"horizon": 3}, 2),
    "GridMaze-v0": ({"size": 3, "test_mazes": 12, "horizon": 5}, 12),
    "VisualMaze-v0": ({"size": 3, "test_mazes": 6, "horizon": 2}, 6),
    "MetaWorldML1-v0": ({"horizon": 2}, 50),
    "CoinRun-v0": ({"test_levels": 4, "horizon": 2}, 4),
    "AtariFlavours-v0": ({"horizon": 2}, None),
    "Airstriker-v0": ({"horizon": 2}, 4),
}
FAMILIES = {
    name: (make(name.split(",")[0], **arguments), count)
    for name, (arguments, count) in FINITE.items()
}
FAMILIES["told"] = (reveal(make("GridNavi-v0")), 21)
FAMILIES["gymnasium"] = (
    GymnasiumDistribution("Line-v0", Line, {"train": [3.0], "test": [-2.5, 2.5, -2.5]}, horizon=8),
    3,
)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_of_few_tasks_plays_each_once_and_counts_them_once(name):
    family, count = FAMILIES[name]
    count = task_count_of(family, "test") if count is None else count
    assert task_count_of(family, "test") == count
    tasks = every_task(family, "test", 0)
    assert len(tasks) == count
    distinct = 2 if name == "gymnasium" else count
    assert len(np.unique(family.task_keys(tasks))) == distinct
    drawn = family.task_keys(family.sample(200, "test", 1))
    assert set(drawn.tolist()) <= set(family.task_keys(tasks).tolist())
    assert len(set(drawn.tolist())) == min(distinct, 200)


@pytest.mark.parametrize("name", ["GridNavi-v0", "MovingBandits-v0", "gymnasium", "told"])
def test_left_out_the_number_of_tasks_is_all_there_are(name):
    family, count = FAMILIES[name]
    budget = metarl.Episodes(2)
    evaluation = evaluate(metarl.make_agent("random", family, budget), family, budget=budget)
    assert evaluation.num_tasks == count
    again = evaluate(metarl.make_agent("random", family, budget), family, "test", 60, 0, budget)
    assert (again.num_tasks, mean(again.scores()).n) == (60, again.distinct_tasks)
    assert again.distinct_tasks <= count
    assert (
        mean(episode_lengths(again)[:, 0]).n == mean(again.matrix()[:, 1]).n == again.distinct_tasks
    )


def test_families_without_end_play_ten_thousand_of_other_tasks():
    bandit = make("BernoulliBandit-v0")
    evaluation = evaluate(
        metarl.make_agent("random", bandit, metarl.Episodes(1)), bandit, budget=metarl.Episodes(1)
    )
    assert (evaluation.num_tasks, evaluation.distinct_tasks) == (MOST_TASKS, MOST_TASKS)


class Fixed(Line):
    """Pays what the task says, whatever is done."""

    def step(self, action):
        return np.zeros(1, np.float32), float(self.goal), True, False, {}


def test_ten_environments_are_ten_tasks():
    family = GymnasiumDistribution(
        "Fixed-v0", Fixed, {"train": [99.0], "test": [float(i) for i in range(10)]}, horizon=2
    )
    agent = metarl.make_agent("random", family, metarl.Episodes(1))
    widths = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for plays in (10, 300):
            estimate = mean(evaluate(agent, family, "test", plays, 0, metarl.Episodes(1)).scores())
            widths.append(estimate.high - estimate.low)
            assert estimate.n == 10
    assert widths[1] > 0.5 * widths[0]


@pytest.mark.parametrize("name", ["GlyphClassification-v0", "SineRegression-v0"])
def test_supervised_tasks_are_the_same_if_their_classes_are(name):
    family = make(name)
    tasks = family.sample(6, "test", 0)
    assert len(np.unique(family.task_keys(tasks))) == 6
    assert np.array_equal(
        family.task_keys(tasks[[0, 0, 1]]) == family.task_keys(tasks[:1]), [True, True, False]
    )
    if name.startswith("Glyph"):
        turned = type(tasks)(tasks.classes.flip(1), tasks.support, tasks.query, tasks.white)
        assert np.array_equal(family.task_keys(turned), family.task_keys(tasks))
