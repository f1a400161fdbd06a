"""Scores level by level.

Means over seeds, bars from the lowest to the highest, hollow marks where only notes vouch for a
figure.
"""

import pandas as pd
import pytest

from benchmarks.sonic.figures import level_dots

SCORES = pd.DataFrame(
    [["a", "PPO", 1.0], ["a", "PPO", 3.0], ["a", "JERK", 5.0], ["b", "PPO", 4.0]],
    columns=["level", "agent", "score"],
)


def marks(axes):
    """Marks as {(agent, x): filling}, bars as a set of pairs."""
    dots = {
        (line.get_label(), line.get_xdata()[0]): line.get_markerfacecolor()
        for line in axes.lines
        if line.get_marker() != "None"
    }
    return dots, {tuple(line.get_xdata()) for line in axes.lines if line.get_marker() == "None"}


def test_a_line_for_each_level_and_a_mark_for_each_agent():
    axes = level_dots({"game": SCORES}).axes[0]
    dots, bars = marks(axes)
    assert set(dots) == {("PPO", 2.0), ("JERK", 5.0), ("PPO", 4.0)}
    assert bars == {(1.0, 3.0), (5.0, 5.0), (4.0, 4.0)}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    low, high = axes.get_ylim()
    assert low > high, "the first level stands on top"


def test_agents_look_alike_in_all_panels():
    figure = level_dots({"game": SCORES, "other": SCORES[SCORES["agent"] == "JERK"]})
    first, second = (marks(axes)[0] for axes in figure.axes)
    assert first["JERK", 5.0] == second["JERK", 5.0] != first["PPO", 4.0]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["game", "other"]


def test_agents_look_as_their_order_says():
    one, two = (level_dots({"game": SCORES}, agents=order) for order in (["JERK", "Human"], []))
    assert marks(one.axes[0])[0]["JERK", 5.0] == marks(two.axes[0])[0]["PPO", 4.0], (
        "the first colour"
    )
    assert [text.get_text() for text in one.legends[0].get_texts()] == ["JERK", "PPO"]


def test_figures_of_notes_are_hollow_and_the_legend_says_so():
    figure = level_dots({"game": SCORES.assign(trust=["quoted", "quoted", "recalled", "recalled"])})
    dots, _ = marks(figure.axes[0])
    assert dots["JERK", 5.0] == dots["PPO", 4.0] == "white" != dots["PPO", 2.0]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["PPO", "JERK", "hollow: from notes alone"]
    assert len(level_dots({"game": SCORES}).legends[0].get_texts()) == 2


def test_what_cant_be_drawn_is_said():
    with pytest.raises(ValueError, match="no scores"):
        level_dots({})
    with pytest.raises(ValueError, match="no scores"):
        level_dots({"game": SCORES[:0]})
    with pytest.raises(ValueError, match="no column 'score'"):
        level_dots({"game": SCORES.drop(columns="score")})
