"""The figures of Nichol et al. 2018, "On First-Order Meta-Learning Algorithms" (arXiv 1803.02999),
on few-shot classification, as data.

`trust` is "notes": the figures come from notes on the paper's tables and weren't compared with the
paper itself. The rows of MAML and first-order MAML are Finn et al. 2017's, as the paper quotes
them; all of those are transductive.
"""

from pathlib import Path

import pandas as pd

__all__ = ["VERSIONS", "few_shot_table"]

VERSIONS = ("v1", "v3")  # of the paper; v1 has Reptile's rows only


def few_shot_table(version: str = "v3") -> pd.DataFrame:
    """Accuracies on test tasks, one row a cell.

    Columns: data ("omniglot" or "miniimagenet"), ways, shots, algorithm, transductive (queries
        share their batch's moments), accuracy
    (percent), error (as printed after ±, percent), source, trust.

    Raises:
        ValueError: another version.
    """
    if version not in VERSIONS:
        raise ValueError(
            f"There is no version {version!r} of Nichol et al. 2018 here; choose"
            f" {' or '.join(VERSIONS)}."
        )
    table = pd.read_csv(Path(__file__).with_name("published.csv"))
    return table[table["version"] == version].drop(columns="version").reset_index(drop=True)
