"""The picture of all rows."""

import pandas as pd
import pytest

from benchmarks.rl2.figures import all_rows_figure, shares


def tables():
    bandits = pd.DataFrame(
        {
            "n": [10, 10, 10, 10, 100, 100],
            "k": [5, 5, 5, 5, 5, 5],
            "agent": ["Random", "Gittins", "Bayes-optimal", "RL²", "Random", "RL²"],
            "mean": [5.0, 6.0, 6.5, 6.25, 50.0, None],
            "ci_low": [4.9, 5.9, 6.4, 6.2, 49.0, None],
            "ci_high": [5.1, 6.1, 6.6, 6.3, 51.0, None],
            "optimum": [6.5] * 4 + [None] * 2,
            "upper_bound": [7.0] * 4 + [90.0] * 2,
            "paper": [5.0, 6.1, None, 6.7, 49.9, 80.0],
        }
    )
    mdps = pd.DataFrame(
        {
            "n": [10, 10, 10],
            "agent": ["Random", "PSRL", "RL²"],
            "mean": [100.0, 130.0, 150.0],
            "ci_low": [99.0, 129.0, 149.0],
            "ci_high": [101.0, 131.0, 151.0],
            "optimum": [None] * 3,
            "upper_bound": [200.0] * 3,
            "paper": [100.1, 138.1, 156.2],
        }
    )
    return {"bandits": bandits, "mdps": mdps}


def test_shares_of_the_way_to_the_ceiling():
    table = shares(tables()).set_index("row")
    assert table.index.tolist() == ["bandit n = 10, k = 5", "bandit n = 100, k = 5", "MDP n = 10"]
    assert table["ceiling"].tolist() == ["optimum", "upper bound", "upper bound"]
    assert table["learned"].tolist() == pytest.approx([1.25 / 1.5, float("nan"), 0.5], nan_ok=True)
    assert table["rival_agent"].tolist() == ["Gittins", "", "PSRL"]
    assert table["rival"].tolist() == pytest.approx([1 / 1.5, float("nan"), 0.3], nan_ok=True)
    assert table.loc["bandit n = 100, k = 5", "paper"] == pytest.approx(0.75)
    assert table.loc["MDP n = 10", ["learned_low", "learned_high"]].tolist() == pytest.approx(
        [0.49, 0.51]
    )


def test_every_row_is_drawn():
    axes = all_rows_figure(tables()).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "bandit n = 10, k = 5",
        "bandit n = 100, k = 5",
        "MDP n = 10",
    ]
    own, other, ours = (line.get_ydata()[0] for line in axes.lines[:3])
    assert own > ours > other, "no mark covers another"
    paper, rival = (line.get_xdata().tolist() for line in axes.lines[:2])
    assert paper[2] == pytest.approx(0.562)
    assert rival[2] == pytest.approx(0.3)
    low, high = axes.get_xlim()
    assert all(low < value < high for value in [*paper, rival[0], rival[2], 1.0]), (
        "no mark is cut off, though the paper has one above 1"
    )


def test_without_random_play_there_is_nothing_to_draw():
    bare = {name: table[table["agent"] != "Random"] for name, table in tables().items()}
    with pytest.raises(ValueError, match="needs the random agent's score"):
        all_rows_figure(bare)
