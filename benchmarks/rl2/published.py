"""The figures of Duan et al. 2016, "RL²: Fast reinforcement learning via slow reinforcement
learning" (arXiv 1611.02779), as data.

`trust` says how a figure came here: "paper" was read in the paper's own tables, "reproduction" is
reported by whoever ran it again, "quoted" is another paper's figure as a third party cites it. The
paper's scores are means over 1,000 tasks, printed with one decimal.
"""

from pathlib import Path
from typing import Literal

import pandas as pd

__all__ = ["MAZE_IMPROVED", "NUM_TASKS", "TABLES", "rl2_mazes", "rl2_reproductions", "rl2_table"]

TABLES = ("bandits", "mdps")
NUM_TASKS = 1000  # behind each of the paper's scores
# Share of all mazes whose second episode is shorter than the first (section 3.3)
MAZE_IMPROVED = {"small": 0.917, "large": 0.714}


def rl2_table(table: Literal["bandits", "mdps"]) -> pd.DataFrame:
    """Return Table 1 ("bandits") or 2 ("mdps") in long form.

    Columns: n (episodes in a meta-episode), k (arms; bandits only), agent (as the paper heads its
    columns), paper (mean total reward), source, trust.

    Raises:
        ValueError: another table.
    """
    if table not in TABLES:
        raise ValueError(
            f"There is no table {table!r} of Duan et al. 2016 here; choose {' or '.join(TABLES)}."
        )
    figures = _read()
    own = figures[(figures["table"] == table) & (figures["trust"] == "paper")].rename(
        columns={"value": "paper"}
    )
    keys = ["n", "k"] if table == "bandits" else ["n"]
    return (
        own[[*keys, "agent", "paper", "source", "trust"]]
        .astype(dict.fromkeys(keys, int))
        .reset_index(drop=True)
    )


def rl2_reproductions() -> pd.DataFrame:
    """Return what others report in the same settings.

    Columns: table, n, k, agent, figure (mean total reward), source, trust.
    """
    figures = _read()
    others = figures[figures["trust"] != "paper"].rename(columns={"value": "figure"})
    others = others[["table", "n", "k", "agent", "figure", "source", "trust"]]
    return others.astype({"n": int, "k": "Int64"}).reset_index(drop=True)


def rl2_mazes() -> pd.DataFrame:
    """Return Table 3: the best run, trained in small mazes.

    Columns: maze ("small" 5x5, "large" 9x9), episode, length (mean steps of successful episodes),
    length_error (as printed after ±), success (share), source, trust.
    """
    figures = _read()
    mazes = figures[figures["table"] == "mazes"].rename(
        columns={"value": "length", "error": "length_error"}
    )
    mazes = mazes[["maze", "episode", "length", "length_error", "success", "source", "trust"]]
    return mazes.astype({"episode": int}).reset_index(drop=True)


def _read() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).with_name("published.csv"))
