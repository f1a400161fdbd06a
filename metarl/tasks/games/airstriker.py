"""Airstriker, the one game whose ROM stable-retro ships, from twelve moments of play."""

from pathlib import Path
from typing import Any

from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.processes import DEFAULT_PATIENCE
from metarl.tasks.games.retro_emulator import CONSOLE, MakeRetro, RetroLevel
from metarl.tasks.games.retro_library import check_roms

__all__ = ["Airstriker", "airstriker_levels"]

GAME = "Airstriker-Genesis-v0"
# Made by benchmarks/sonic/airstriker_states.py
STATES = Path(__file__).parent / "airstriker_states"
SPLITS = {
    "train": (
        *("level1-start", "level1-middle", "level2-start", "level2-middle"),
        *("endurance-1", "endurance-2", "endurance-3", "endurance-4"),
    ),
    "test": ("level3-start", "level3-middle", "endurance-5", "endurance-6"),
}


def airstriker_levels() -> list[tuple[str, RetroLevel]]:
    """(split, level) of each start."""
    return [(split, RetroLevel(GAME, name)) for split, names in SPLITS.items() for name in names]


class Airstriker(GymnasiumDistribution):
    """A ship at the screen's lower edge shoots at others that come in waves: each task starts at
    another moment of the game.

    | part | value |
    |---|---|
    | observation | uint8 Box: the last `stack` screens, `size` pixels a side, grey or colour, oldest first |
    | action | Discrete(6): nothing, left, right, B (a shot), left + B, right + B; no other button does anything in play |
    | step | `frame_skip` frames; with probability `stickiness` the action sets in one frame late |
    | reward | the change of the score, which is 20 a ship shot down |
    | start | the task's saved state, always the same; lives 3 to 5, as its play had left |
    | end | terminated when the last life is lost; truncated at the horizon |
    | success | none told |
    | splits | train: beginning and middle of levels 1 and 2, four beginnings of the endless mode; test: level 3, and two other beginnings |
    | bound | none |
    | versions | v0 |

    A real emulator, for whoever has no other ROM. After level 3 the game goes back to its title,
    where nothing is to be won.

    Args:
        frame_skip, stickiness: frames a step, and the probability that an action sets in one frame
            late.
        size, grey, stack: pixels a side, grey or colour, and pictures an observation.
        reward_scale: factor of rewards, for training.
        horizon: most steps in an episode; 1,000 are 67 seconds.
        patience: seconds that a worker has for one step or reset of its rows before it is ended and
            named; None waits for ever.

    Raises:
        ValueError: stable-retro isn't installed, or an argument is out of bounds.
    """

    id = "Airstriker-v0"
    has_success = False
    reveals = True  # the moment of the game, by its picture

    def __init__(
        self,
        frame_skip: int = 4,
        stickiness: float = 0.25,
        size: int = 84,
        grey: bool = True,
        stack: int = 4,
        reward_scale: float = 1.0,
        horizon: int = 1000,
        patience: float | None = DEFAULT_PATIENCE,
    ):
        check_roms(self.id, (GAME,))
        self.arguments = {
            "frame_skip": frame_skip,
            "stickiness": stickiness,
            "size": size,
            "grey": grey,
            "stack": stack,
            "reward_scale": reward_scale,
        }
        make = MakeRetro(
            "scenario",
            6,
            frame_skip,
            stickiness,
            size,
            grey,
            stack,
            reward_scale=reward_scale,
            states=STATES,
        )
        splits = {
            split: [level for own, level in airstriker_levels() if own == split] for split in SPLITS
        }
        super().__init__(
            self.id, make, splits, horizon, workers=1, one_per_process=True, patience=patience
        )
        CONSOLE.eject()  # all rows play in worker processes; this one's emulator is free for others

    def config(self) -> dict[str, Any]:
        return {**self.arguments, "horizon": self.horizon}
