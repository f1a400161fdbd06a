"""Figures: what is drawn where, labels and hidden_size, and no global state."""

import functools
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

import metarl
from benchmarks.sonic.figures import level_dots
from metarl.analysis.figure_style import heading, new_axes
from metarl.analysis.figures import (
    COLOURS,
    curves_against_steps,
    heatmaps,
    intervals_figure,
    learning_curve,
    mean_curves,
    named_curves,
    performance_profiles,
    regret_figure,
    save,
    scores_figure,
)
from metarl.evaluation.scores import scores_of
from metarl.evaluation.statistics import Estimate


class Pull:
    """Pulls the best arm, if told the means, else a random one."""

    def __init__(self, means=None):
        self.means = means

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        drawn = torch.randint(5, step.prev_action.shape, generator=rng)
        return drawn if self.means is None else self.means.argmax(1), state


BANDIT = metarl.make("BernoulliBandit-v0", arms=5)
BUDGET = metarl.Episodes(6)


def metrics(offset=0.0, length=20):
    steps = np.arange(1, length + 1) * 1000
    return pd.DataFrame({"steps": steps, "return": steps / 1e4 + offset})


def scores():
    rows = [
        ("Greedy", 6.5, 6.4, 6.6, 1),
        ("RL² (GRU)", 6.6, 6.5, 6.7, 3),
        ("Random", 5.0, 4.9, 5.1, 1),
        ("not trained", np.nan, np.nan, np.nan, 3),
    ]
    table = pd.DataFrame(rows, columns=["agent", "mean", "ci_low", "ci_high", "num_seeds"])
    table.attrs = {"score": "total", "reference": "optimum", "ceiling": 6.66}
    return table


def texts(figure):
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_the_best_agent_is_on_top_and_the_ceiling_is_drawn():
    figure = scores_figure(scores(), unit="rewards in 10 pulls")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "Random",
        "Greedy",
        "RL² (GRU)",
    ]
    assert axes.get_xlabel() == "total (rewards in 10 pulls)"
    assert "optimum 6.660" in texts(figure)
    assert any(np.allclose(line.get_xdata(), 6.66) for line in axes.lines)
    dots = {
        (round(float(x), 3), round(float(y), 3))
        for line in axes.lines
        if line.get_marker() in "oD"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    assert dots == {(5.0, 0.0), (6.5, 1.0), (6.6, 2.0)}


def test_learned_agents_have_a_colour_and_a_marker_of_their_own():
    axes = scores_figure(scores()).axes[0]
    drawn = {
        line.get_marker(): to_hex(line.get_color()).upper()
        for line in axes.lines
        if line.get_marker() in "oD"
    }
    assert drawn == {"o": COLOURS[0], "D": COLOURS[4]}


def test_a_papers_figures_stand_beside_ours_as_hollow_squares():
    figure = scores_figure(scores().assign(paper=[np.nan, 6.2, np.nan, np.nan]))
    agent = scores().iloc[1]["agent"]
    (squares,) = (line for line in figure.axes[0].lines if line.get_marker() == "s")
    place = [label.get_text() for label in figure.axes[0].get_yticklabels()].index(agent)
    assert (squares.get_xdata().tolist(), squares.get_ydata().tolist()) == ([6.2], [place])
    assert squares.get_markerfacecolor() == "none"
    assert "the paper's figure" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert not any(line.get_marker() == "s" for line in scores_figure(scores()).axes[0].lines)


def test_lines_can_be_chosen_and_empty_tables_are_refused():
    figure = scores_figure(scores(), levels={"random": 5.0, "optimum": 6.66, "upper bound": 8.33})
    assert {"random 5.000", "optimum 6.660", "upper bound 8.330"} <= set(texts(figure))
    with pytest.raises(ValueError, match="no score to draw"):
        scores_figure(scores().iloc[3:])


def test_a_learning_curve_is_the_median_over_seeds_with_a_band_from_lowest_to_highest():
    figure = learning_curve(
        {"GRU": [metrics(0), metrics(1), metrics(5)], "LSTM": metrics(2, 15)},
        levels={"optimum": 6.66},
    )
    axes = figure.axes[0]
    first, second = axes.lines[:2]
    np.testing.assert_allclose(first.get_ydata(), metrics(1)["return"])
    np.testing.assert_allclose(second.get_xdata(), metrics(2, 15)["steps"])
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((0.1, 7.0))
    assert axes.get_xlabel() == "environment steps"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["GRU", "LSTM"]
    assert "1 to 3 seeds" in " ".join(texts(figure))
    assert "optimum 6.660" in texts(figure)


def test_smoothing_averages_the_iterations_before():
    line = learning_curve({"GRU": metrics()}, smooth=4).axes[0].lines[0]
    assert line.get_ydata()[-1] == pytest.approx(metrics()["return"].tail(4).mean())
    assert len(line.get_ydata()) == 20


def test_metrics_without_the_column_are_refused():
    with pytest.raises(ValueError, match="columns 'steps' and 'success'"):
        learning_curve({"GRU": metrics()}, y="success")


def lines_of(axes):
    """Return the lines of series with bars, in their order."""
    return [container.lines[0] for container in axes.containers]


def test_regret_is_zero_for_the_best_arm_and_level_for_a_random_one():
    means = BANDIT.sample(3000, "test", 1).means
    best, random = (
        metarl.evaluate(agent, BANDIT, "test", 3000, 1, BUDGET) for agent in (Pull(means), Pull())
    )
    axes = regret_figure([("Random", random), ("Best arm", best)], BANDIT).axes[0]
    # 5/6 known, 1/2 at random
    np.testing.assert_allclose(lines_of(axes)[0].get_ydata(), 1 / 3, atol=0.04)
    np.testing.assert_allclose(lines_of(axes)[1].get_ydata(), 0.0, atol=0.03)
    assert axes.get_xlabel() == "pull"
    assert "reward" in axes.get_ylabel()
    mdp = metarl.make("RandomMDP-v0", states=2, actions=5, horizon=3)
    episodes = metarl.evaluate(Pull(), mdp, "test", 10, 1, BUDGET)
    assert regret_figure([("Random", episodes)], mdp).axes[0].get_xlabel() == "episode"


def test_regret_of_other_tasks_is_refused():
    random = metarl.evaluate(Pull(), BANDIT, "test", 10, 1, BUDGET)
    with pytest.raises(ValueError, match="no upper bound for the tasks"):
        regret_figure([("Random", random)], metarl.make("BernoulliBandit-v0", arms=6))


def test_curves_are_means_over_tasks_with_their_intervals():
    rng = np.random.default_rng(0)
    matrix = rng.normal([1.0, 2.0, 3.0], 1.0, (400, 3))
    axes = mean_curves({"A": matrix, "B": matrix + 1}, x="pull", y="reward").axes[0]
    np.testing.assert_allclose(lines_of(axes)[0].get_ydata(), matrix.mean(0))
    np.testing.assert_allclose(lines_of(axes)[1].get_ydata(), matrix.mean(0) + 1)
    assert list(lines_of(axes)[0].get_xdata()) == [1, 2, 3]
    half = 1.966 * matrix[:, 0].std(ddof=1) / 20  # Student's t, 399 degrees of freedom
    wanted = pytest.approx((matrix[:, 0].mean() - half, matrix[:, 0].mean() + half), abs=1e-3)
    # Bars where there are few points, bands where there are many.
    bar = axes.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert (bar.min(), bar.max()) == wanted
    many = mean_curves({"A": np.repeat(matrix[:, :1], 30, axis=1)}, x="pull", y="reward")
    band = many.axes[0].collections[0].get_paths()[0].vertices
    first = band[band[:, 0] == 1][:, 1]
    assert (first.min(), first.max()) == wanted
    assert "bands: 95 % intervals" in " ".join(texts(many))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("pull", "reward")


def test_repeats_of_a_task_count_once():
    keys = np.tile(np.arange(5), 40)
    matrix = np.random.default_rng(0).normal(keys[:, None], 0.1, (200, 2))
    plain = mean_curves({"A": matrix}, x="e", y="r")
    known = mean_curves({"A": scores_of(matrix, keys)}, x="e", y="r")
    assert any("n = 200" in text for text in texts(plain))
    assert any("n = 5" in text for text in texts(known))
    narrow, wide = (
        np.ptp(figure.axes[0].containers[0].lines[2][0].get_segments()[0][:, 1])
        for figure in (plain, known)
    )
    assert wide > 4 * narrow


def test_tasks_without_a_value_are_left_out_of_a_point_and_points_without_one_of_the_curve():
    nan = np.nan
    matrix = np.array([[nan, 1.0, nan], [nan, 3.0, 5.0]])
    (line,) = lines_of(mean_curves({"A": matrix}, x="pull", y="rate").axes[0])
    assert list(line.get_xdata()) == [2, 3]
    assert list(line.get_ydata()) == [2.0, 5.0]
    assert (
        len(lines_of(mean_curves({"A": matrix[:, :1]}, x="pull", y="rate").axes[0])[0].get_xdata())
        == 0
    )


def test_curves_of_negative_scores_need_not_start_at_0():
    matrix = np.full((3, 2), -50.0) + np.arange(3)[:, None]
    assert (
        mean_curves({"A": matrix}, x="episode", y="return", from_zero=False).axes[0].get_ylim()[1]
        < 0
    )


def test_intervals_stand_at_their_points_and_a_label_may_lack_some():
    levels = {
        "train": {"10": Estimate(1.0, 0.5, 1.5, 9, 0.95), "100": Estimate(2.0, 1.0, 4.0, 9, 0.95)},
        "test": {"100": Estimate(3.0, 2.0, 4.0, 9, 0.95)},
    }
    axes = intervals_figure(levels, x="tasks", y="return").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "100"]
    first, second = axes.containers
    assert first.lines[0].get_ydata().tolist() == [1.0, 2.0]
    assert [np.ptp(path.vertices[:, 1]) for path in first.lines[2][0].get_paths()] == [1.0, 3.0]
    assert second.lines[0].get_xdata().tolist() == [1.0]


def test_points_stand_in_the_order_that_is_asked_for_and_figures_without_intervals_are_marks():
    nan = float("nan")
    levels = {
        "ours": {"10": Estimate(1.0, 0.5, 1.5, 9), "200": Estimate(2.0, 0.5, 3.5, 9)},
        "theirs": {"50": Estimate(1.5, nan, nan, 0)},
    }
    axes = intervals_figure(levels, x="tasks", y="return", points=["10", "50", "200"]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "50", "200"]
    ours, theirs = (container.lines[0] for container in axes.containers)
    assert ours.get_xdata().tolist() == [0.0, 2.0]
    assert (theirs.get_xdata().tolist(), theirs.get_ydata().tolist()) == ([1.0], [1.5])
    with pytest.raises(ValueError, match="'200', which isn't among the points 10, 50"):
        intervals_figure(levels, x="tasks", y="return", points=["10", "50"])


def test_named_curves_that_begin_alike_share_a_panel():
    curves = {"mass, trained": {0: 0.1, 10: 0.9}, "mass, not": {0: 0.0, 10: 0.2}, "force": {0: 1.0}}
    figure = named_curves(curves, x="step", y="R²", title="Cart-pole", note="1,000 tasks")
    mass, force = (axes for axes in figure.axes if axes.lines)
    assert [mass.get_title("left"), force.get_title("left")] == ["mass", "force"]
    assert mass.lines[0].get_linestyle() != mass.lines[1].get_linestyle()
    assert list(mass.lines[0].get_xdata()) == [0, 10]
    assert len(force.lines) == 1
    assert "Cart-pole\n1,000 tasks; no intervals" in texts(figure)


@functools.cache
def drawn_around(value):
    """Return each kind of figure that has an axis of returns, scores or shares, with values around
    one.
    """
    near = {str(i): Estimate(value + i, value + i - 1, value + i + 1, 9) for i in range(3)}
    steps = {1000.0 * (i + 1): each for i, each in enumerate(near.values())}
    rows = scores().assign(
        **{name: value + scores()[name] / 100 for name in ("mean", "ci_low", "ci_high")}
    )
    rows.attrs = {"score": "total"}
    matrix = np.random.default_rng(0).normal(value, 1.0, (50, 4))
    run = metrics().assign(**{"return": value + np.arange(20) / 100})
    level = pd.DataFrame({"level": ["a", "b"], "agent": ["A", "A"], "score": [value, value + 1]})
    return {
        "learning": learning_curve({"GRU": [run, run]}),
        "scores": scores_figure(rows, levels={}),
        "means": mean_curves({"A": matrix}, x="episode", y="return", from_zero=False),
        "many means": mean_curves(
            {"A": np.repeat(matrix, 5, 1)}, x="episode", y="return", from_zero=False
        ),
        "named": named_curves({"mass": {0: value, 10: value + 1}}, x="step", y="R²"),
        "steps": curves_against_steps({"A": steps}, y="return"),
        "panels": curves_against_steps(
            {"A": steps, "B": steps}, y="return", panels={"1": ["A"], "2": ["B"]}
        ),
        "intervals": intervals_figure({"A": near}, x="tasks", y="return"),
        "levels": level_dots({"game": level}),
    }


@pytest.mark.parametrize("value", [400.0, -700.0])
def test_every_figure_whose_axis_of_values_does_not_hold_0_says_so(value):
    for kind, figure in drawn_around(value).items():
        axes = figure.axes[0]
        low, high = axes.get_xlim() if kind in ("scores", "levels") else axes.get_ylim()
        assert not low <= 0 <= high, kind
        assert "axis doesn't begin at 0" in said(figure), kind
    for kind, figure in drawn_around(0.5).items():
        assert ("axis doesn't begin at 0" in said(figure)) == (not holds_0(figure.axes[0], kind)), (
            kind
        )


def holds_0(axes, kind):
    low, high = axes.get_xlim() if kind in ("scores", "levels") else axes.get_ylim()
    return low <= 0 <= high


def said(figure):
    return " ".join(texts(figure)).replace("\n", " ")


def test_an_axis_begins_at_the_least_possible_value_and_at_0_unless_values_lie_below():
    curves = {"A": {1000.0: Estimate(300.0, 290.0, 310.0, 3)}}
    axes = curves_against_steps(
        curves, y="return", levels={"most": 900.0}, possible=(0, None), logarithmic=False
    ).axes[0]
    assert axes.get_ylim()[0] <= 0 < 900 <= axes.get_ylim()[1]
    assert axes.get_xlim()[0] <= 0
    below = mean_curves(
        {"A": np.full((3, 2), -50.0) + np.arange(3)[:, None]}, x="episode", y="return"
    )
    assert below.axes[0].get_ylim()[0] < -48, "nothing is cut off"


@pytest.mark.parametrize("points", [3, 30])
def test_intervals_of_means_end_where_values_can_not_be(points):
    matrix = np.zeros((10, points))
    matrix[0] = 1.0
    free, bound = (
        mean_curves({"A": matrix}, x="e", y="share", from_zero=False, possible=possible)
        for possible in ((None, None), (0, 1))
    )
    lows = []
    for figure in (free, bound):
        drawn = figure.axes[0].collections[0]
        lows.append(min(path.vertices[:, 1].min() for path in drawn.get_paths()))
    assert lows[0] < 0 == lows[1]
    assert "cut where values can't be" in said(bound)
    assert "cut where" not in said(free)


def test_agents_of_other_numbers_of_tasks_say_so():
    table = scores().assign(num_tasks=[20_000, 20_000, 1_000, np.nan])
    figure = scores_figure(table)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "Random (n = 1,000)",
        "Greedy",
        "RL² (GRU)",
    ]
    assert "n = 20,000 unless said" in said(figure)
    assert "n = 20,000," in said(scores_figure(scores().assign(num_tasks=20_000)))


def test_series_of_different_numbers_say_their_own():
    nan = float("nan")
    few = Estimate(1.0, 0.5, 1.5, 3)
    many = Estimate(2.0, 1.5, 2.5, 50)
    none = Estimate(1.0, nan, nan, 1)
    alike = curves_against_steps({"A": {10.0: few}, "B": {10.0: few}}, y="return")
    assert "n = 3" in said(alike)
    assert {"A", "B"} <= set(texts(alike))
    for figure in (
        curves_against_steps({"A": {10.0: few}, "B": {10.0: many}, "C": {10.0: none}}, y="return"),
        intervals_figure(
            {"A": {"10": few}, "B": {"10": many}, "C": {"10": none}}, x="tasks", y="return"
        ),
    ):
        assert [text.get_text() for text in figure.legends[0].get_texts()] == [
            "A (n = 3)",
            "B (n = 50)",
            "C (no interval)",
        ]
    assert "no intervals" in said(curves_against_steps({"A": {10.0: none}}, y="return"))
    rng = np.random.default_rng(0)
    matrices = {"A": rng.normal(size=(10, 2)), "B": rng.normal(size=(20, 2))}
    legend = mean_curves(matrices, x="e", y="r", from_zero=False).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["A (n = 10)", "B (n = 20)"]


def test_bars_do_not_crowd():
    points = {100.0 * i: Estimate(1.0, 0.5, 1.5, 5) for i in range(20)}
    figure = curves_against_steps(dict.fromkeys("ABCD", points), y="return", logarithmic=False)
    bars = [container.lines[2][0].get_segments() for container in figure.axes[0].containers]
    drawn = [
        [i for i, bar in enumerate(own) if np.size(bar) and np.isfinite(bar).all()] for own in bars
    ]
    assert [own[:2] for own in drawn] == [[0, 2], [1, 3], [0, 2], [1, 3]]
    assert "at one point in 2" in said(figure)
    assert all(len(container.lines[0].get_xdata()) == 20 for container in figure.axes[0].containers)


def test_levels_look_alike_in_all_panels():
    points = {10.0: Estimate(1.0, 0.5, 1.5, 5)}
    groups = {"1": ["A"], "2": ["B"]}
    figure = curves_against_steps(
        {"A": points, "B": points}, y="return", panels=groups, levels={"goal": 2.0, "nothing": 0.0}
    )
    first, second = (
        {
            line.get_ydata()[0]: str(line.get_linestyle())
            for line in axes.lines
            if len(set(line.get_xdata())) == 2
        }
        for axes in figure.axes
    )
    assert first == second
    assert len(set(first.values())) == 2


def test_lines_of_a_note_are_about_equally_long():
    note = (
        "bars: 95 % intervals; n = 46 to 54; one seed of each learner; of each task alone, over"
        " plays of it"
    )
    figure, axes = new_axes(6.4, 4.4)
    heading(axes, "title", note)
    lines = next(text for text in texts(figure) if text.startswith("bars")).split("\n")
    assert len(lines) > 1
    assert min(map(len, lines)) > 0.6 * max(map(len, lines))
    assert " ".join(lines) == note


def test_panels_without_a_panel_below_have_numbers_along_their_axis():
    figure = named_curves({f"cart_{i}": {0: 0.1, 10: 0.5} for i in range(5)}, x="step", y="R²")
    drawn = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_title("left") for axes in drawn] == [f"cart {i}" for i in range(5)]
    assert [axes.xaxis.get_tick_params()["labelbottom"] for axes in drawn] == [
        False,
        False,
        True,
        True,
        True,
    ]


@functools.cache
def drawn_with_everything():
    """Return each kind of figure with long texts, coinciding levels, many series and wide
    intervals.
    """
    long = (
        "mean return of an episode on tasks that were never seen in training, in points of the game"
    )
    wide = {
        f"agent {i}": {1000.0 * j: Estimate(i, i - 5.0, i + 5.0, 6) for j in (1, 2, 3)}
        for i in range(8)
    }
    close = {"optimum": 6.66, "Gittins": 6.657, "random": 5.0}
    rng = np.random.default_rng(0)
    played = {
        f"agent {i}, of a name that fills its line": rng.normal(i, 1.0, (50, 5)) for i in range(7)
    }
    named = {"few": {"10": Estimate(0.9, 0.5, 1.3, 9)}, "many": {"10": Estimate(0.5, -0.2, 0.7, 9)}}
    probes = {
        f"parameter {i}, {kind}": {0: 0.1, 10: 0.5}
        for i in range(5)
        for kind in ("trained", "not trained")
    }
    groups = {"first half": list(wide)[:4], "second half": list(wide)[3:]}
    runs = {f"core {i}": [metrics(i), metrics(i + 0.1)] for i in range(4)}
    note = "three seeds; settings were chosen on training tasks; every agent plays the same tasks"
    with_range = {"possible": (0.0, 10.0), "note": note}
    return {
        "learning": learning_curve(runs, levels=close, label=long, title=long, note=note, smooth=3),
        "scores": scores_figure(
            scores().replace("Greedy", "Greedy, of a name that fills its line"),
            levels=close,
            unit="rewards in 10 pulls",
            title=long,
            note=note,
        ),
        "means": mean_curves(played, x="episode", y=long, title=long, note=note, from_zero=False),
        "named": named_curves(
            probes, x="step", y="R² of a linear probe", title="Cart-pole", note=note
        ),
        "steps": curves_against_steps(wide, levels=close, y=long, title=long, **with_range),
        "panels": curves_against_steps(
            wide, y=long, title="Two halves", panels=groups, levels=close, **with_range
        ),
        "intervals": intervals_figure(
            named, x="tasks", y="share", title=long, possible=(0, 1), note=note
        ),
        "profiles": performance_profiles(
            {
                f"agent {i}, of a name that fills its line": [
                    rng.normal(i, 1.0, 50 + 10 * (i == 3)) for _ in range(1 + i % 3)
                ]
                for i in range(7)
            },
            x=long,
            levels=close,
            title=long,
            note=note,
        ),
    }


@pytest.mark.parametrize(
    "kind", ["learning", "scores", "means", "named", "steps", "panels", "intervals", "profiles"]
)
def test_nothing_is_cut_off_or_printed_over_and_series_differ_without_colours(kind):
    figure = drawn_with_everything()[kind]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = figure.bbox
    boxes = {}
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_text().strip() and text.get_visible():
            box = text.get_window_extent(canvas.get_renderer())
            if box.x1 < -1e4 or not tick_within_view(text, figure):
                continue
            inside = (
                page.x0 - 1 <= box.x0
                and box.x1 <= page.x1 + 1
                and page.y0 - 1 <= box.y0
                and box.y1 <= page.y1 + 1
            )
            assert inside, f"{text.get_text()!r} is cut off"
            boxes[text] = box
    words = list(boxes)
    for i, one in enumerate(words):
        for other in words[i + 1 :]:
            apart = boxes[one].shrunk(0.98, 0.9)
            assert not apart.overlaps(boxes[other].shrunk(0.98, 0.9)), (
                f"{one.get_text()!r} over {other.get_text()!r}"
            )
    for axes in figure.axes:
        marked = [
            line for line in axes.lines if line.get_marker() not in ("None", None, "|", "_", "")
        ]
        looks = [
            (line.get_marker(), str(line.get_linestyle()), line.get_markerfacecolor())
            for line in marked
        ]
        assert len(set(looks)) == len(looks)


def test_a_title_fits_beside_long_names_of_rows():
    table = scores().replace("Greedy", "UCRL2, prior mean 0 (a note of it)")
    figure = scores_figure(
        table, title="Random MDPs (10 states, 5 actions, horizon 10), 100 episodes"
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    title = next(
        text
        for text in figure.findobj(matplotlib.text.Text)
        if text.get_text().startswith("Random MDPs")
    )
    assert title.get_window_extent(canvas.get_renderer()).x1 <= figure.bbox.x1


def tick_within_view(text, figure):
    """Return whether a text is drawn: tick labels beyond an axis' limits exist, but aren't."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if text in (tick.label1, tick.label2):
                    slack = 1e-9 * max(1.0, high - low)
                    return low - slack <= tick.get_loc() <= high + slack
    return True


def test_intervals_end_where_values_can_not_be_and_the_figure_says_so():
    curves = {"one": {1000.0: Estimate(1.0, -3.0, 5.0, 4)}}
    free = curves_against_steps(curves, y="return")
    bound = curves_against_steps(curves, y="return", possible=(0, 4))
    ends = [
        figure.axes[0].containers[0].lines[2][0].get_segments()[0][:, 1].tolist()
        for figure in (free, bound)
    ]
    assert ends == [[-3.0, 5.0], [0.0, 4.0]]
    assert any("cut where values can't be" in text for text in texts(bound))
    assert not any("cut where" in text for text in texts(free))


def test_every_figure_says_how_many_scores_and_what_intervals():
    for kind, figure in drawn_with_everything().items():
        said = " ".join(texts(figure)).replace("\n", " ")
        assert "three seeds" in said, kind
        if kind not in ("learning", "named"):
            assert "95 % intervals" in said, kind
        if kind not in ("learning", "named", "scores"):
            assert "n = " in said, kind


def test_a_performance_profile_steps_down_at_each_score():
    figure = performance_profiles(
        {"RL²": [np.array([1.0, 2.0]), np.array([2.0, 4.0])], "Random": [np.array([1.0, 1.0])]},
        x="total",
        levels={"optimum": 9.0},
    )
    axes = figure.axes[0]
    learned, random, level = axes.lines[:3]
    assert learned.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(learned.get_xdata()[1:], [1, 2, 4])
    assert learned.get_ydata().tolist() == [1.0, 0.75, 0.25, 0.0]
    assert random.get_ydata().tolist() == [1.0, 0.0, 0.0, 0.0]
    assert axes.get_xlim()[1] > 9.0, "the optimum is drawn"
    assert level.get_xdata() == [9.0, 9.0]
    assert "RL², 2 seeds" in texts(figure)
    assert any("intervals over seeds and tasks" in text for text in texts(figure))
    with pytest.raises(ValueError, match="one agent at least"):
        performance_profiles({}, x="total")


def test_heatmaps_share_one_scale_and_name_their_rows():
    left = np.array([[0.0, 0.1], [0.2, 0.3]])
    right = np.array([[0.5, 0.9], [0.4, 0.1]])
    figure = heatmaps(
        {"A": left, "B": right}, x="pull", y="arm", value="share", rows=["best", "worst"]
    )
    first, second, bar = figure.axes
    assert [first.images[0].get_clim(), second.images[0].get_clim()] == [(0, 0.9)] * 2
    np.testing.assert_array_equal(second.images[0].get_array(), right)
    assert [label.get_text() for label in first.get_yticklabels()] == ["best", "worst"]
    assert first.get_ylim()[0] > first.get_ylim()[1], "the first row is on top"
    assert first.get_xlim() == (0.5, 2.5)
    assert (first.get_xlabel(), first.get_ylabel(), bar.get_ylabel()) == ("pull", "arm", "share")
    assert {"A", "B"} <= set(texts(figure))


def test_heatmaps_of_different_shapes_or_without_names_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        heatmaps(
            {"A": np.zeros((2, 3)), "B": np.zeros((2, 4))}, x="", y="", value="", rows=["a", "b"]
        )
    with pytest.raises(ValueError, match="1 rows as named"):
        heatmaps({"A": np.zeros((2, 3))}, x="", y="", value="", rows=["a"])


@pytest.mark.parametrize(
    ("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_figures_are_saved_whole_by_their_ending(tmp_path, kind, start):
    file = save(scores_figure(scores()), tmp_path / "figures" / f"scores.{kind}")
    assert file.read_bytes().startswith(start)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.png, \.svg or \.pdf"):
        save(scores_figure(scores()), tmp_path / "scores.bmp")


def test_no_pyplot_and_no_global_settings():
    before = dict(matplotlib.rcParams)
    loaded = "matplotlib.pyplot" in sys.modules
    scores_figure(scores())
    learning_curve({"GRU": metrics()})
    assert ("matplotlib.pyplot" in sys.modules) == loaded
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(("logarithmic", "scale"), [(True, "symlog"), (False, "linear")])
def test_the_axis_of_steps_is_logarithmic_or_not(logarithmic, scale):
    curves = {"one": {10_000.0: Estimate(1.0, 0.5, 1.5, 3), 200_000.0: Estimate(2.0, 1.5, 2.5, 3)}}
    axes = curves_against_steps(curves, y="return", logarithmic=logarithmic).axes[0]
    assert axes.get_xscale() == scale
    assert axes.get_xlim()[1] >= 200_000
