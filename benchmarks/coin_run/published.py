"""The figures of Cobbe et al. 2018, "Quantifying Generalization in Reinforcement Learning" (arXiv
1812.02341), on CoinRun, as data.

`trust` is "notes": the figures come from notes on the paper's tables and weren't compared with the
paper itself; "unverified" are those that only one set of notes has.
"""

from pathlib import Path

import pandas as pd

__all__ = ["STEPS", "generalisation_table"]

STEPS = 256_000_000  # of training, for each agent


def generalisation_table() -> pd.DataFrame:
    """Levels solved, one row for each network and number of training levels.

    Columns: network ("Nature" or "IMPALA"), levels (of training; infinity for a set without
        bounds), train, test (share of episodes that
    reach the coin, on levels of training and on new ones; NaN where no figure is known), source,
    trust.
    """
    return pd.read_csv(Path(__file__).with_name("published.csv"))
