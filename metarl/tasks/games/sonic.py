"""The levels of three Sonic games, as Nichol et al.

2018, "Gotta Learn Fast" (arXiv 1804.03720), and the Retro Contest have them.
"""

from typing import Any

from metarl.envs.gymnasium_adapter import GymnasiumDistribution, GymnasiumTasks
from metarl.envs.processes import DEFAULT_PATIENCE
from metarl.tasks.games.buttons import SONIC_5
from metarl.tasks.games.retro_emulator import CONSOLE, MakeRetro
from metarl.tasks.games.retro_library import check_roms
from metarl.tasks.games.running import Running
from metarl.tasks.games.sonic_levels import base_game, sonic_levels

__all__ = ["Sonic"]

GAMES = (
    "SonicTheHedgehog-Genesis-v0",
    "SonicTheHedgehog2-Genesis-v0",
    "SonicAndKnuckles3-Genesis-v0",
)


class Sonic(GymnasiumDistribution):
    """Levels of Sonic the Hedgehog: run and jump to the far end, fast; the player's own ROMs are
    needed.

    | part | value |
    |---|---|
    | observation | uint8 Box: the last `stack` screens, `size` pixels a side, grey or colour, oldest first |
    | action | Discrete(8): nothing, left, right, left + down, right + down, down, down + B, B (jump); 7: without the first |
    | | 5, for JERK: nothing, left, right, left + B, right + B |
    | step | `frame_skip` frames; with probability `stickiness` the action sets in one frame late |
    | reward | 9,000 x the change of progress, which is 0 at the start and 1 at the end (`max_x`), so that going back costs |
    | end bonus | 1,000 at once, falling to 0 at 18,000 frames |
    | start | the level's saved state, always the same |
    | end | terminated: the level's end is reached, a life is lost, or a bonus level begins; truncated at the horizon |
    | success | none told |
    | splits | train: 47 levels; test: 11, of other acts; extrapolate: the 16 that were built for the Retro Contest |
    | bound | none; an episode's return is at most 10,000 |
    | versions | v0 |

    The reward and the ends are stable-retro's scenario `contest`. Of the custom levels, five were
    the contest's leaderboard and eleven its final; their ROMs are made from the games' by `metarl
    retro import`, and needed for that split only.

    With `allow_backtracking` or `reward_scale` rewards are what a learner wants, and scores aren't
    the paper's any more: score without.

    Args:
        game: stable-retro's name of one of the three games, such as "SonicTheHedgehog-Genesis-v0";
            or "all".
        actions: 8, as in the paper, 7, as of the agents released with the contest, or 5, with which
            JERK plays.
        frame_skip, stickiness: frames a step, and the probability that an action sets in one frame
            late.
        size, grey, stack: pixels a side, grey or colour, and pictures an observation.
        allow_backtracking: pay new progress only; for training (the paper: all agents; the released
            code: Rainbow).
        reward_scale: factor of rewards, for training (the paper's PPO: 0.005; the released one:
            0.01).
        horizon: most steps in an episode; 4,500 are the contest's 5 minutes.
        patience: seconds that a worker has for one step or reset of its rows before it is ended and
            named; None waits for ever.

    Raises:
        ValueError: a ROM is missing or another version, stable-retro isn't installed, or an
            argument is none of those.
    """

    id = "Sonic-v0"
    has_success = False
    reveals = True  # the level, by its picture

    def __init__(
        self,
        game: str = "all",
        actions: int = 8,
        frame_skip: int = 4,
        stickiness: float = 0.25,
        size: int = 84,
        grey: bool = True,
        stack: int = 4,
        allow_backtracking: bool = False,
        reward_scale: float = 1.0,
        horizon: int = 4500,
        patience: float | None = DEFAULT_PATIENCE,
    ):
        if game not in ("all", *GAMES):
            raise ValueError(f"{self.id} has no game {game!r}; choose all, {' or '.join(GAMES)}.")
        check_roms(self.id, GAMES if game == "all" else (game,))
        self.arguments = {
            "actions": actions,
            "frame_skip": frame_skip,
            "stickiness": stickiness,
            "size": size,
            "grey": grey,
            "stack": stack,
            "allow_backtracking": allow_backtracking,
            "reward_scale": reward_scale,
        }
        self.game = game
        self.running = (
            Running(still=0, left=1, right=2, jump_left=3, jump_right=4)
            if actions == len(SONIC_5)
            else None
        )
        levels = [each for each in sonic_levels() if game in ("all", base_game(each.level.game))]
        splits = {
            split: [each.level for each in levels if each.split == split]
            for split in ("train", "test", "extrapolate")
        }
        make = MakeRetro(
            "contest",
            actions,
            frame_skip,
            stickiness,
            size,
            grey,
            stack,
            allow_backtracking,
            reward_scale,
        )
        super().__init__(
            self.id, make, splits, horizon, workers=1, one_per_process=True, patience=patience
        )
        CONSOLE.eject()  # all rows play in worker processes; this one's emulator is free for others

    def sample(self, n: int, split: str, seed: int) -> GymnasiumTasks:
        """As ever.

        But the contest's levels have ROMs of their own, which are looked for when they are wanted.
        """
        if split == "extrapolate":
            check_roms(self.id, sorted({level.game for level in self.task_lists[split]}))
        return super().sample(n, split, seed)

    def config(self) -> dict[str, Any]:
        return {"game": self.game, **self.arguments, "horizon": self.horizon}
