"""The figures of Duan et al. 2016, "RL²: Fast reinforcement learning via slow reinforcement learning" (arXiv 1611.02779), as data.

`trust` says how a figure came here: "paper" was read in the paper's own tables, "reproduction" is reported by whoever ran it again,
"quoted" is another paper's figure as a third party cites it. The paper's scores are means over 1,000 tasks, printed with one decimal.
"""

from importlib.resources import files
from typing import Literal

import pandas as pd

__all__ = ["MAZE_IMPROVED", "NUM_TASKS", "TABLES", "rl2_mazes", "rl2_reproductions", "rl2_table"]

TABLES = ("bandits", "mdps")
NUM_TASKS = 1000  # behind each of the paper's scores
MAZE_IMPROVED = {"small": 0.917, "large": 0.714}  # share of all mazes whose second episode is shorter than the first (section 3.3)


def rl2_table(table: Literal["bandits", "mdps"]) -> pd.DataFrame:
    """Table 1 ("bandits") or 2 ("mdps") in long form.

    Columns: n (episodes in a meta-episode), k (arms; bandits only), agent (as the paper heads its columns), paper (mean total reward),
    source, trust.

    Raises:
        ValueError: another table.
    """
    if table not in TABLES:
        raise ValueError(f"There is no table {table!r} of Duan et al. 2016 here; choose {' or '.join(TABLES)}.")
    return _read(f"duan2016_{table}.csv")


def rl2_reproductions() -> pd.DataFrame:
    """What others report in the same settings. Columns: table, n, k, agent, figure (mean total reward), source, trust."""
    return _read("duan2016_reproductions.csv").astype({"k": "Int64"})


def rl2_mazes() -> pd.DataFrame:
    """Table 3: the best run, trained in small mazes. Columns: maze ("small" 5x5, "large" 9x9), episode, length (mean steps of successful
    episodes), length_error (as printed after ±), success (share), source, trust."""
    return _read("duan2016_mazes.csv")


def _read(name: str) -> pd.DataFrame:
    with files("metarl.reference").joinpath(name).open() as stream:
        return pd.read_csv(stream)
