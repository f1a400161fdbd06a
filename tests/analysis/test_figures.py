"""Figures: what is drawn where, labels and units, and no global state."""

import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

import metarl
from metarl.analysis.figures import (
    COLOURS,
    curves_against_steps,
    heatmaps,
    intervals_figure,
    learning_curve,
    mean_curves,
    named_curves,
    regret_figure,
    save,
    scores_figure,
)
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


BANDIT, BUDGET = metarl.make("BernoulliBandit-v0", arms=5), metarl.Episodes(6)


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
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Random", "Greedy", "RL² (GRU)"]
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
    drawn = {line.get_marker(): to_hex(line.get_color()).upper() for line in axes.lines if line.get_marker() in "oD"}
    assert drawn == {"o": COLOURS[0], "D": COLOURS[1]}


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
    figure = learning_curve({"GRU": [metrics(0), metrics(1), metrics(5)], "LSTM": metrics(2, 15)}, levels={"optimum": 6.66})
    axes = figure.axes[0]
    first, second = axes.lines[:2]
    np.testing.assert_allclose(first.get_ydata(), metrics(1)["return"])
    np.testing.assert_allclose(second.get_xdata(), metrics(2, 15)["steps"])
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((0.1, 7.0))
    assert axes.get_xlabel() == "environment steps"
    assert axes.get_legend() is not None
    assert "optimum\n6.660" in texts(figure)


def test_smoothing_averages_the_iterations_before():
    line = learning_curve({"GRU": metrics()}, smooth=4).axes[0].lines[0]
    assert line.get_ydata()[-1] == pytest.approx(metrics()["return"].tail(4).mean())
    assert len(line.get_ydata()) == 20


def test_metrics_without_the_column_are_refused():
    with pytest.raises(ValueError, match="columns 'steps' and 'success'"):
        learning_curve({"GRU": metrics()}, y="success")


def test_regret_is_zero_for_the_best_arm_and_level_for_a_random_one():
    means = BANDIT.sample(3000, "test", 1).means
    best, random = (metarl.evaluate(agent, BANDIT, "test", 3000, 1, BUDGET) for agent in (Pull(means), Pull()))
    axes = regret_figure([("Random", random), ("Best arm", best)], BANDIT).axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 1 / 3, atol=0.04)  # 5/6 known, 1/2 at random
    np.testing.assert_allclose(axes.lines[1].get_ydata(), 0.0, atol=0.03)
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
    np.testing.assert_allclose(axes.lines[0].get_ydata(), matrix.mean(0))
    np.testing.assert_allclose(axes.lines[1].get_ydata(), matrix.mean(0) + 1)
    assert list(axes.lines[0].get_xdata()) == [1, 2, 3]
    band = axes.collections[0].get_paths()[0].vertices
    half = 1.966 * matrix[:, 0].std(ddof=1) / 20  # Student's t, 399 degrees of freedom
    first = band[band[:, 0] == 1][:, 1]
    assert (first.min(), first.max()) == pytest.approx((matrix[:, 0].mean() - half, matrix[:, 0].mean() + half), abs=1e-3)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("pull", "reward")


def test_tasks_without_a_value_are_left_out_of_a_point_and_points_without_one_of_the_curve():
    nan = np.nan
    matrix = np.array([[nan, 1.0, nan], [nan, 3.0, 5.0]])
    line = mean_curves({"A": matrix}, x="pull", y="rate").axes[0].lines[0]
    assert list(line.get_xdata()) == [2, 3]
    assert list(line.get_ydata()) == [2.0, 5.0]
    assert len(mean_curves({"A": matrix[:, :1]}, x="pull", y="rate").axes[0].lines[0].get_xdata()) == 0


def test_curves_of_negative_scores_need_not_start_at_0():
    matrix = np.full((3, 2), -50.0) + np.arange(3)[:, None]
    assert mean_curves({"A": matrix}, x="episode", y="return", from_zero=False).axes[0].get_ylim()[1] < 0


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
    assert second.lines[0].get_xdata().tolist() == pytest.approx([1.02])


def test_points_stand_in_the_order_that_is_asked_for_and_figures_without_intervals_are_marks():
    nan = float("nan")
    levels = {"ours": {"10": Estimate(1.0, 0.5, 1.5, 9), "200": Estimate(2.0, 0.5, 3.5, 9)}, "theirs": {"50": Estimate(1.5, nan, nan, 0)}}
    axes = intervals_figure(levels, x="tasks", y="return", points=["10", "50", "200"]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10", "50", "200"]
    ours, theirs = (container.lines[0] for container in axes.containers)
    assert ours.get_xdata().tolist() == pytest.approx([-0.02, 1.98])
    assert (theirs.get_xdata().tolist(), theirs.get_ydata().tolist()) == ([pytest.approx(1.02)], [1.5])
    with pytest.raises(ValueError, match="'200', which isn't among the points 10, 50"):
        intervals_figure(levels, x="tasks", y="return", points=["10", "50"])


def test_named_curves_that_begin_alike_share_a_colour():
    lines = (
        named_curves({"mass, trained": {0: 0.1, 10: 0.9}, "mass, not": {0: 0.0, 10: 0.2}, "force": {0: 1.0}}, x="step", y="R²")
        .axes[0]
        .lines
    )
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    assert lines[0].get_linestyle() != lines[1].get_linestyle()
    assert list(lines[0].get_xdata()) == [0, 10]


def test_heatmaps_share_one_scale_and_name_their_rows():
    left, right = np.array([[0.0, 0.1], [0.2, 0.3]]), np.array([[0.5, 0.9], [0.4, 0.1]])
    figure = heatmaps({"A": left, "B": right}, x="pull", y="arm", value="share", rows=["best", "worst"])
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
        heatmaps({"A": np.zeros((2, 3)), "B": np.zeros((2, 4))}, x="", y="", value="", rows=["a", "b"])
    with pytest.raises(ValueError, match="1 rows as named"):
        heatmaps({"A": np.zeros((2, 3))}, x="", y="", value="", rows=["a"])


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
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
