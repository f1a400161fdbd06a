"""The figures of the papers as data, each with its source and how far it can be trusted."""

from metarl.reference.duan2016 import rl2_reproductions, rl2_table
from metarl.reference.nichol2018 import few_shot_table

__all__ = ["few_shot_table", "rl2_reproductions", "rl2_table"]
