"""The figures of Nichol et al. 2018, "Gotta Learn Fast" (arXiv 1804.03720), and of the Retro
Contest's final, as data.

`trust` says how a figure came here: "quoted" ones agree with an independent quotation to the
nearest integer, "recalled" ones come from notes; each column of those has the quoted mean, which is
a check of the column and not of its single cells.
"""

from pathlib import Path
from typing import Literal

import pandas as pd

__all__ = ["sonic_table"]


def sonic_table(table: Literal["paper", "contest"] = "paper") -> pd.DataFrame:
    """Mean returns over a million steps on each level, adapting all the while.

    Columns: level (a state of stable-retro's; "all" for the mean over levels, the only figure of
        the contest), agent (an algorithm or a
    team), score, error (standard error, recalled; NaN where none is known), source, trust.

    The paper's levels are the 11 test levels; the contest's are 11 of its own, three seeds each.

    Raises:
        ValueError: another table.
    """
    if table not in ("paper", "contest"):
        raise ValueError(f"There is no table {table!r} of Sonic's here; choose paper or contest.")
    everything = pd.read_csv(Path(__file__).with_name("published.csv"))
    return everything[everything["table"] == table].drop(columns="table").reset_index(drop=True)
