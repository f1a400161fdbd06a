"""CoinRun (Cobbe et al.

2018, arXiv 1812.02341) as Procgen has it (Cobbe et al. 2020, arXiv 1912.01588): a level is a task.
"""

from typing import Any

from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.processes import DEFAULT_PATIENCE
from metarl.tasks.games.coin_run_env import LONGEST, MakeLevel
from metarl.tasks.games.running import Running

__all__ = ["FIRST_TEST_LEVEL", "CoinRun"]

FIRST_TEST_LEVEL = 10_000_000  # numbers below are for training


class CoinRun(GymnasiumDistribution):
    """Run and jump to the coin at the right end of a level, past pits, saws and enemies.

    | part | value |
    |---|---|
    | observation | Box(64, 64, 3) uint8: the view around the runner; its velocity is painted into the upper left corner |
    | action | Discrete(7): no-op, left, right, jump, jump left, jump right, down; Procgen's others do nothing here |
    | reward | 10 for the coin, else 0 |
    | success | the coin |
    | start | the level's own, always the same; neither start nor play has any noise |
    | end | terminated by the coin, a fall, a saw or an enemy; truncated at the horizon |
    | last observation | Procgen shows the next start in its place: an ended episode's last observation is its last but one |
    | splits | train: levels 0 to `levels` - 1; test: `test_levels` others, numbered from 10,000,000 |
    | bound | 10 an episode; every level can be solved |
    | versions | v0 |

    Cobbe et al. (2018) draw difficulties 1 to 3; Procgen's "hard" is the same with what its authors
    changed since, so figures of the paper stand beside ours as a reference only.

    Args:
        levels: N, training levels.
        test_levels: how many levels there are to be tested on.
        difficulty: "hard", or "easy": without monsters, and all levels of one look.
        backgrounds: behind the level are pictures, else black.
        paint_velocity: show the velocity, which one picture doesn't tell otherwise.
        horizon: most steps in one episode; Procgen ends it after 1,000.
        workers: worker processes that share the rows; results don't depend on it.
        patience: seconds that a worker has for one step or reset of its rows before it is ended and
            named; None waits for ever.

    Raises:
        ValueError: Procgen isn't installed, or a number of levels, a difficulty or a horizon that
            doesn't exist.
    """

    id = "CoinRun-v0"
    has_success = True
    reveals = True  # an episode's first view
    running = Running(still=0, left=1, right=2, jump_left=4, jump_right=5)

    def __init__(
        self,
        levels: int = 200,
        test_levels: int = 1000,
        difficulty: str = "hard",
        backgrounds: bool = True,
        paint_velocity: bool = True,
        horizon: int = LONGEST,
        workers: int = 0,
        patience: float | None = DEFAULT_PATIENCE,
    ):
        if not 1 <= levels <= FIRST_TEST_LEVEL:
            raise ValueError(
                f"{self.id}: levels must lie between 1 and {FIRST_TEST_LEVEL}, not {levels}."
            )
        if not 1 <= test_levels <= FIRST_TEST_LEVEL:
            raise ValueError(
                f"{self.id}: test_levels must lie between 1 and {FIRST_TEST_LEVEL}, not"
                f" {test_levels}."
            )
        if difficulty not in ("easy", "hard"):
            raise ValueError(
                f"{self.id}: there is no difficulty {difficulty!r}; choose easy or hard."
            )
        if not 1 <= horizon <= LONGEST:
            raise ValueError(
                f"{self.id}: horizon must lie between 1 and {LONGEST}, where Procgen ends every"
                f" episode, not {horizon}."
            )
        self.levels = levels
        self.test_levels = test_levels
        self.maker = MakeLevel(difficulty, backgrounds, paint_velocity)
        splits = {
            "train": range(levels),
            "test": range(FIRST_TEST_LEVEL, FIRST_TEST_LEVEL + test_levels),
        }
        super().__init__(self.id, self.maker, splits, horizon, workers=workers, patience=patience)

    def config(self) -> dict[str, Any]:
        settings = {
            name: getattr(self.maker, name)
            for name in ("difficulty", "backgrounds", "paint_velocity")
        }
        return {
            "levels": self.levels,
            "test_levels": self.test_levels,
            **settings,
            "horizon": self.horizon,
        }
