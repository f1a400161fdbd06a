"""A game controller's buttons as a few discrete actions: a table, an action a line, of the buttons
that are held together.

Imports no PyTorch, so that workers start fast.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

__all__ = [
    "BUTTON_TABLES",
    "SONIC_5",
    "SONIC_7",
    "SONIC_8",
    "ButtonTable",
    "Buttons",
    "button_table",
]

ButtonTable = tuple[tuple[str, ...], ...]  # for each action, the names of the buttons held

# The actions of the agents that OpenAI released with the Retro Contest; B jumps.
SONIC_7: ButtonTable = (
    ("LEFT",),
    ("RIGHT",),
    ("LEFT", "DOWN"),
    ("RIGHT", "DOWN"),
    ("DOWN",),
    ("DOWN", "B"),
    ("B",),
)
# And of the paper (Nichol et al. 2018), which may also hold nothing
SONIC_8: ButtonTable = ((), *SONIC_7)
# JERK's: it runs, and jumps as it runs
SONIC_5: ButtonTable = ((), ("LEFT",), ("RIGHT",), ("LEFT", "B"), ("RIGHT", "B"))
# B fires; no other button does anything
AIRSTRIKER: ButtonTable = ((), ("LEFT",), ("RIGHT",), ("B",), ("LEFT", "B"), ("RIGHT", "B"))

SONIC_GAMES = (
    "SonicAndKnuckles3-Genesis-v0",
    "SonicAndKnuckles3CustomKevin-Genesis",
    "SonicTheHedgehog-Genesis-v0",
    "SonicTheHedgehog2-Genesis-v0",
    "SonicTheHedgehog2CustomKevin-Genesis",
    "SonicTheHedgehog2CustomLeaderboard-Genesis",
    "SonicTheHedgehogCustomCathy-Genesis",
    "SonicTheHedgehogCustomKevin-Genesis",
    "SonicTheHedgehogCustomLeaderboard-Genesis",
)
BUTTON_TABLES: dict[str, tuple[ButtonTable, ...]] = {  # by stable-retro's name of the game
    "Airstriker-Genesis-v0": (AIRSTRIKER,),
    **dict.fromkeys(SONIC_GAMES, (SONIC_5, SONIC_7, SONIC_8)),
}


def button_table(game: str, actions: int) -> ButtonTable:
    """Return the table of `game` that has so many actions.

    Raises:
        ValueError: there is none.
    """
    if game not in BUTTON_TABLES:
        raise ValueError(
            f'There is no button table for {game}; pass one as buttons=, such as (("LEFT",),'
            ' ("RIGHT",), ("RIGHT", "B")): for each action, the buttons that it holds.'
        )
    lengths = [len(table) for table in BUTTON_TABLES[game]]
    if actions not in lengths:
        *others, last = map(str, lengths)
        choices = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(
            f"{game} has no button table of {actions} actions; choose {choices}, or pass a table."
        )
    return BUTTON_TABLES[game][lengths.index(actions)]


class Buttons(gym.ActionWrapper):
    """Discrete(n) actions, each of which holds the buttons that its line of the table names.

    Args:
        env: takes an array of zeros and ones, a number a button.
        table: n lines of names of buttons.
        names: of the buttons of `env`, in its order.

    Raises:
        ValueError: an empty table, or a button that `env` doesn't have.
    """

    def __init__(self, env: gym.Env, table: Sequence[Sequence[str]], names: Sequence[str]):
        unknown = sorted({button for line in table for button in line} - set(names))
        if not table or unknown:
            wrong = f"names {', '.join(unknown)}" if unknown else "is empty"
            raise ValueError(
                f"The button table {wrong}; list, for each action, those that it holds of"
                f" {', '.join(filter(None, names))}."
            )
        super().__init__(env)
        self.held = np.array(
            [[name in line for name in names] for line in table], np.int8
        )  # [n, buttons]
        self.action_space = gym.spaces.Discrete(len(table))

    def action(self, action: Any) -> np.ndarray:
        """Return the buttons that an action holds: [buttons] int8 zeros and ones."""
        return self.held[int(action)]
