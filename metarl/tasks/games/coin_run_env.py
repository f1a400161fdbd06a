"""One level of Procgen's CoinRun as a Gymnasium environment, for `metarl.envs.gymnasium_adapter`.

Imports no PyTorch, so that workers start fast, and Procgen only when an environment is made.
"""

import contextlib
import gc
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

__all__ = ["LONGEST", "MISSING", "CoinRunLevel", "MakeLevel", "import_procgen"]

LONGEST = 1000  # steps; Procgen ends an episode here
# no-op, left, right, jump, jump left, jump right, down: as Procgen numbers its fifteen
ACTIONS = (4, 1, 7, 5, 2, 8, 3)
RESET = -1  # Procgen's action that begins a new episode
MISSING = (
    "CoinRun needs Procgen, which isn't installed: run `make procgen`, or `pip install gym==0.26.2"
    " cffi filelock` and then `pip install --no-deps procgen-mirror gym3`."
)


def import_procgen() -> Any:
    """Procgen's module, without the notice that the package it builds on prints.

    Raises:
        ValueError: it isn't installed.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            import procgen
    except ImportError as error:
        raise ValueError(f"{MISSING} ({error})") from error
    return procgen


@dataclass(frozen=True)
class MakeLevel:
    """Makes the environment of a level.

    Attributes:
        difficulty: "easy" or "hard". backgrounds: behind the level are pictures, else black.
            paint_velocity: see `CoinRun`.
    """

    difficulty: str = "hard"
    backgrounds: bool = True
    paint_velocity: bool = True

    def __call__(self, level: int) -> "CoinRunLevel":
        return CoinRunLevel(level, self)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from running.

    Looking a function of Procgen's library up holds a lock that isn't reentrant, and a game that
    the collector happens to close at that moment asks for the same lock: the process would hang.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class CoinRunLevel(gym.Env):
    """A level, every episode the same.

    Args:
        level: its number. maker: the settings of all levels.

    Raises:
        ValueError: Procgen isn't installed, or lacks a library of the system's.
    """

    observation_space = gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gym.spaces.Discrete(len(ACTIONS))
    render_mode = "rgb_array"

    def __init__(self, level: int, maker: MakeLevel):
        self.level = level
        self.maker = maker
        self.game = self._new_game()
        # The same game as people see it, which takes a hundred times as long
        self.large: Any = None
        self.clock = 0
        self.last_state: Any = None  # of an ended episode, where somebody draws

    def _new_game(self, **options: Any) -> Any:
        procgen = import_procgen()
        try:
            with _no_collection():
                game = procgen.ProcgenGym3Env(
                    num=1,
                    env_name="coinrun",
                    num_levels=1,
                    start_level=self.level,
                    rand_seed=0,  # draws the order of levels, of which there is one
                    num_threads=0,
                    distribution_mode=self.maker.difficulty,
                    use_backgrounds=self.maker.backgrounds,
                    paint_vel_info=self.maker.paint_velocity,
                    **options,
                )
                # Each function of the library is looked up now, so that none is later.
                for name in dir(game._c_lib):
                    getattr(game._c_lib, name, None)
                return game
        except OSError as error:  # its library is opened only now
            raise ValueError(
                f"Procgen can't be opened: {error}. If a system library is missing, install it"
                " (libGL.so.1 is Debian's package libgl1)."
            ) from error

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the level's start, always the same."""
        if self.clock:
            self.game.act(np.array([RESET], np.int32))
        self.clock = 0
        self.last_state = None
        return self._observe()[1], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Procgen's step.

        It shows the next episode's start when one ends, so the last observation of an episode is
        its last but one.
        """
        before = self._observe()[1]
        state = None if self.large is None else self.game.callmethod("get_state")
        self.game.act(np.array([ACTIONS[int(action)]], np.int32))
        reward, observation, ended = self._observe()
        self.clock += 1
        if not ended:
            return observation, reward, False, False, {}
        late = self.clock >= LONGEST
        self.clock = 0
        self.last_state = state
        complete = bool(self.game.get_info()[0]["prev_level_complete"])
        return before, reward, complete or not late, late and not complete, {"success": complete}

    def _observe(self) -> tuple[float, np.ndarray, bool]:
        """Reward, picture [64, 64, 3] and whether this is a new episode's first."""
        reward, observation, first = self.game.observe()
        return float(reward[0]), observation["rgb"][0].copy(), bool(first[0])

    def render(self) -> np.ndarray:
        """Return the view, as people see it [512, 512, 3] uint8.

        After an episode's end the last one of it.
        """
        if self.large is None:
            self.large = self._new_game(render_mode="rgb_array")
        self.large.callmethod("set_state", self.last_state or self.game.callmethod("get_state"))
        self.large.observe()
        picture: np.ndarray = self.large.get_info()[0]["rgb"]
        return picture

    def close(self) -> None:
        """Let the game go."""
        self.game.close()
        if self.large is not None:
            self.large.close()
