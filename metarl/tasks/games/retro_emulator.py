"""stable-retro's games, one level a task, for `metarl.envs.gymnasium_adapter`.

stable-retro runs one emulator a process, so each row needs a worker process of its own. The
emulator is kept from one task to the next: another level of the same game is another state loaded.
Imports no PyTorch, so that workers start fast, and stable-retro only when a game is opened.
"""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from metarl.tasks.games.allow_backtracking import AllowBacktracking
from metarl.tasks.games.buttons import Buttons, ButtonTable, button_table
from metarl.tasks.games.retro_scenario import Variable, watched
from metarl.tasks.games.wrappers import ScaleReward, StackFrames, StickyFrameSkip, WarpFrame

__all__ = ["CONSOLE", "MISSING", "MakeRetro", "RetroGame", "RetroLevel", "stable_retro"]

MISSING = (
    "stable-retro isn't installed; `pip install -e '.[retro]'` in metarl's folder brings it; see"
    " `metarl info`."
)


def stable_retro() -> Any:
    """Return the package.

    Raises:
        ValueError: it isn't installed.
    """
    try:
        import stable_retro as package
        import stable_retro.data
    except ImportError as error:
        raise ValueError(MISSING) from error
    return package


@dataclass(frozen=True, repr=False)
class RetroLevel:
    """A saved state of a game, in which episodes start.

    Attributes:
        game: stable-retro's name, such as "SonicTheHedgehog-Genesis-v0".
        state: name of the state, such as "GreenHillZone.Act1".
    """

    game: str
    state: str

    def __repr__(self) -> str:
        return f"{self.state} of {self.game}"


@dataclass(frozen=True)
class MakeRetro:
    """Makes the environment of a level, as its players see it in the papers.

    Attributes:
        scenario: stable-retro's, which says what is paid and when an episode ends.
        buttons: the actions: how many, of a game that has a table, or a table.
        frame_skip, stickiness: frames that an action is held for, and how probably it sets in one
            frame late.
        size, grey, stack: pixels a side, grey or colour, and how many pictures an observation
            holds.
        allow_backtracking: see `AllowBacktracking`. reward_scale: factor of rewards.
        states: folder of the states, STATE.state each; None takes stable-retro's.

    Raises:
        ValueError: when called, for a game without a button table, ROM or scenario, or a level that
            isn't there.
    """

    scenario: str = "scenario"
    buttons: int | ButtonTable = 8
    frame_skip: int = 4
    stickiness: float = 0.25
    size: int = 84
    grey: bool = True
    stack: int = 4
    allow_backtracking: bool = False
    reward_scale: float = 1.0
    states: Path | None = None

    def __call__(self, level: RetroLevel) -> gym.Env:
        table = (
            button_table(level.game, self.buttons)
            if isinstance(self.buttons, int)
            else self.buttons
        )
        game = RetroGame(level, self.scenario, self.states)
        try:
            return self._wrapped(Buttons(game, table, game.buttons))
        except BaseException:
            game.close()
            raise

    def _wrapped(self, env: gym.Env) -> gym.Env:
        env = StickyFrameSkip(env, self.frame_skip, self.stickiness)
        if self.allow_backtracking:
            env = AllowBacktracking(env)
        if self.reward_scale != 1.0:
            env = ScaleReward(env, self.reward_scale)
        return StackFrames(WarpFrame(env, self.size, self.grey), self.stack)


class RetroGame(gym.Env):
    """A level as stable-retro plays it: a frame a step, the screen [height, width, 3] uint8, an
    array of buttons.

    Args:
        level: what to play. scenario: as of `MakeRetro`. states: likewise.

    Attributes:
        buttons: their names, in the order of an action's numbers.
        shown: whether the next frame's screen is looked at; where it isn't and the episode goes on,
            `step` gives an older one.

    Raises:
        ValueError: as `MakeRetro`, or another level is being played in this process.
    """

    render_mode = "rgb_array"

    def __init__(self, level: RetroLevel, scenario: str = "scenario", states: Path | None = None):
        self._emulator: Any = None
        self.shown = True
        start = _read_state(level, states)
        self._emulator, self._watched = CONSOLE.take(level.game, scenario)
        # Of the watched variables, when stable-retro last looked at all memory
        self._values: list[int] | None = None
        self._emulator.initial_state = start
        self.observation_space = self._emulator.observation_space
        self.action_space = self._emulator.action_space
        self.buttons: list[str] = self._emulator.buttons

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Load the state.

        Nothing is random: of two episodes with the same actions, all is the same.
        """
        observation, info = self._emulator.reset()
        self._values = self._read()
        return observation, info

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play a frame, as stable-retro's own `step` does, but copy screen and memory only where
        that makes a difference.
        """
        emulator = self._emulator
        for player, held in enumerate(emulator.action_to_array(action)):
            emulator.em.set_button_mask(held, player)
        emulator.em.step()
        values = self._read()
        if values is None or values != self._values:
            emulator.data.update_ram()
            self._values = values
            reward = emulator.data.current_reward()
        else:
            reward = 0.0
        done = emulator.data.is_done()
        if self.shown or done:
            emulator.img = emulator.get_screen(apply_rotation=True)
        return emulator.img, float(reward), bool(done), False, emulator.data.lookup_all()

    def _read(self) -> list[int] | None:
        """Return the watched variables; None where there is more to watch."""
        if self._watched is None:
            return None
        memory = self._emulator.data.memory
        return [memory.extract(address, type) for address, type in self._watched]

    def render(self) -> np.ndarray:
        """Return the screen [height, width, 3] uint8."""
        return np.asarray(self._emulator.render())

    def close(self) -> None:
        """Let the next level have the emulator."""
        if self._emulator is not None:
            CONSOLE.give_back()
            self._emulator = None


class Inserted(NamedTuple):
    """An emulator with a game in it, and the variables to watch; see `watched`."""

    emulator: Any
    watched: tuple[Variable, ...] | None


class Console:
    """The one emulator that this process can hold, and which game is in it."""

    def __init__(self) -> None:
        self._game: tuple[str, str] | None = None  # and its scenario
        self._inserted: Inserted | None = None
        self._taken = False

    def take(self, game: str, scenario: str) -> Inserted:
        """Return the emulator with this game in it."""
        if self._taken:
            raise ValueError(
                "stable-retro runs one emulator a process; play one row at a time, or each row in a"
                " worker process of its own."
            )
        if self._inserted is None or self._game != (game, scenario):
            self.eject()
            self._inserted = _insert(game, scenario)
            self._game = (game, scenario)
        self._taken = True
        return self._inserted

    def give_back(self) -> None:
        """Keep it for the next one who asks."""
        self._taken = False

    def eject(self) -> None:
        """Close the emulator, unless it is being played."""
        if self._taken:
            return
        if self._inserted is not None:
            self._inserted.emulator.close()
        self._game = self._inserted = None


CONSOLE = Console()


def _insert(game: str, scenario: str) -> Inserted:
    """Return a new emulator.

    Raises:
        ValueError: no such game, ROM or scenario; or another emulator is open.
    """
    retro = stable_retro()
    every = retro.data.Integrations.ALL
    known = retro.data.list_scenarios(game, every)
    if scenario not in known:
        raise ValueError(
            f"{game} has no scenario {scenario!r}; choose {' or '.join(known)}."
            if known
            else f"stable-retro has no game {game!r}."
        )
    try:
        emulator = retro.make(
            game, retro.State.NONE, every, scenario=scenario, render_mode="rgb_array"
        )
    except FileNotFoundError as error:
        raise ValueError(
            f"The ROM of {game} isn't here; metarl retro import FOLDER brings in those that you"
            " own."
        ) from error
    except RuntimeError as error:
        raise ValueError(
            f"{game} can't be opened ({error}); stable-retro runs one emulator a process, so close"
            " the other."
        ) from error
    files = [retro.data.get_file_path(game, f"{name}.json", every) for name in (scenario, "data")]
    return Inserted(emulator, watched(*(json.loads(Path(file).read_text()) for file in files)))


def _read_state(level: RetroLevel, states: Path | None) -> bytes:
    """Return the emulator's memory in which an episode starts."""
    if states is not None:
        file = states / f"{level.state}.state"
        known = sorted(path.stem for path in states.glob("*.state"))
    else:
        data = stable_retro().data
        found = data.get_file_path(level.game, f"{level.state}.state", data.Integrations.ALL)
        file = Path(found or "")
        known = data.list_states(level.game, data.Integrations.ALL)
    if not file.is_file():
        raise ValueError(
            f"{level.game} has no level {level.state!r}; choose one of"
            f" {', '.join(known) or 'none, for there are none'}."
        )
    return gzip.decompress(file.read_bytes())
