"""One of the Arcade Learning Environment's games in one flavour, for
`metarl.envs.gymnasium_adapter`.

Imports no PyTorch, so that workers start fast, and ale-py only when a game is opened.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import gymnasium as gym
import numpy as np

from metarl.tasks.games.wrappers import ScaleReward, StackFrames, WarpFrame

__all__ = ["AtariGame", "Flavour", "MakeAtari", "check_flavours"]

MISSING = (
    "ale-py isn't installed; `pip install -e '.[atari]'` in metarl's folder brings it, with its"
    " games; see `metarl info`."
)
ATARI_STREAM = 171012  # keeps these draws apart from others that are made of the same seed


@dataclass(frozen=True, repr=False)
class Flavour:
    """A game with its switches set (Farebrother et al. 2018, arXiv 1810.00123).

    Attributes:
        game: ale-py's name, such as "space_invaders". mode: the console's game-select switch.
            difficulty: its difficulty switches.
    """

    game: str
    mode: int
    difficulty: int

    def __repr__(self) -> str:
        return f"{self.game} mode {self.mode} difficulty {self.difficulty}"


@dataclass(frozen=True)
class MakeAtari:
    """Makes the environment of a flavour, as its players see it in the papers: 84 x 84 grey, the
    last four pictures.

    Attributes:
        frame_skip, stickiness, one_life: see `AtariGame`. reward_scale: factor of rewards.
    """

    frame_skip: int = 4
    stickiness: float = 0.25
    one_life: bool = False
    reward_scale: float = 1.0

    def __call__(self, flavour: Flavour) -> gym.Env:
        env: gym.Env = AtariGame(flavour, self.frame_skip, self.stickiness, self.one_life)
        if self.reward_scale != 1.0:
            env = ScaleReward(env, self.reward_scale)
        return StackFrames(WarpFrame(env), 4)


class AtariGame(gym.Env):
    """A flavour, shown as the console's grey screen [210, 160, 1] uint8.

    The stickiness is that of Machado et al. 2018 (arXiv 1709.06009): at each frame the console goes
    on with the action of the frame before with probability `stickiness`, so that an action may set
    in some frames late. ale-py's own would have the ROM loaded anew for each seed, which takes a
    tenth of a second; here it is drawn from the seed of `reset`, and all else is the same in each
    episode.

    Args:
        flavour: what to play.
        frame_skip: frames that an action is held for; the brighter of the last two is shown at each
            pixel, since consoles draw some objects in every other frame only.
        stickiness: probability in [0, 1].
        one_life: an episode ends with the first life lost, and the next one begins a new game.
            Otherwise it is a whole game.

    Raises:
        ValueError: ale-py isn't installed, or has no such game, mode or difficulty; a number is
            beyond its bounds.
    """

    render_mode = "rgb_array"

    def __init__(
        self,
        flavour: Flavour,
        frame_skip: int = 4,
        stickiness: float = 0.25,
        one_life: bool = False,
    ):
        if frame_skip < 1 or not 0.0 <= stickiness <= 1.0:
            raise ValueError(
                f"frame_skip must be at least 1 and stickiness between 0 and 1, not {frame_skip}"
                f" and {stickiness}."
            )
        self.frame_skip = frame_skip
        self.stickiness = stickiness
        self.one_life = one_life
        self._console: Any = _load(flavour.game)
        _check(self._console, flavour)
        self._console.setMode(flavour.mode)
        self._console.setDifficulty(flavour.difficulty)
        self._console.reset_game()
        # Since a console that was played on resets to another state
        self._start = self._console.cloneState(include_rng=True)
        self._first = self._console.getScreenGrayscale()
        self._first_picture = self._console.getScreenRGB()
        self._actions = self._console.getMinimalActionSet()
        self.action_space = gym.spaces.Discrete(len(self._actions))
        self.observation_space = gym.spaces.Box(0, 255, (*self._first.shape, 1), np.uint8)
        self._draws: np.random.Generator | None = None
        self._held = self._actions[0]
        self._played = False

    @property
    def action_names(self) -> list[str]:
        """What each action presses, such as "UPFIRE"."""
        return [action.name for action in self._actions]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin a game; a seed begins the draws anew, without one they go on."""
        if seed is not None or self._draws is None:
            self._draws = np.random.default_rng(None if seed is None else (ATARI_STREAM, seed))
        self._console.restoreState(self._start)
        self._held = self._actions[0]
        self._played = False
        return self._first[:, :, None], {"lives": self._console.lives()}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play `frame_skip` frames, or fewer where the episode ends. Rewards are summed."""
        assert self._draws is not None, "reset comes before step"
        console = self._console
        lives = self._console.lives()
        reward = 0
        over = False
        screen = None
        sets_in = self._draws.random(self.frame_skip) >= self.stickiness
        for frame in range(self.frame_skip):
            if sets_in[frame]:
                self._held = self._actions[action]
            reward += console.act(self._held)
            over = console.game_over() or (self.one_life and console.lives() < lives)
            if over:
                break
            if frame == self.frame_skip - 2:
                screen = console.getScreenGrayscale()
        self._played = True
        last = console.getScreenGrayscale()
        shown = last if over or screen is None else np.maximum(screen, last)
        return shown[:, :, None], float(reward), over, False, {"lives": console.lives()}

    def render(self) -> np.ndarray:
        """Return the screen [210, 160, 3] uint8."""
        return np.asarray(self._console.getScreenRGB() if self._played else self._first_picture)


def check_flavours(game: str, flavours: list[Flavour]) -> None:
    """Raise ValueError unless ale-py is there and has `game` in all of `flavours`."""
    console = _load(game)
    for flavour in flavours:
        _check(console, flavour)


def _load(game: str) -> Any:
    """Return a console with a game in it, before its switches are set."""
    try:
        import ale_py
        from ale_py import roms
    except ImportError as error:
        raise ValueError(MISSING) from error

    def playable(id: str) -> bool:
        path = roms.get_rom_path(id) if id in names else None
        # Those for two players aren't; loading one exits
        return path is not None and ale_py.ALEInterface.isSupportedROM(path) is not None

    names = roms.get_all_rom_ids()
    if not playable(game):
        known = sorted(filter(playable, names))
        near = get_close_matches(game, known, 3, 0.4)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"choose one of {', '.join(known)}."
        )
        raise ValueError(f"ale-py has no game {game!r} for one player; {hint}")
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    console: Any = ale_py.ALEInterface()
    console.setFloat("repeat_action_probability", 0.0)
    console.setInt("random_seed", 0)
    console.loadROM(roms.get_rom_path(game))
    return console


def _check(console: Any, flavour: Flavour) -> None:
    for name, value, known in (
        ("mode", flavour.mode, console.getAvailableModes()),
        ("difficulty", flavour.difficulty, console.getAvailableDifficulties()),
    ):
        if value not in known:
            raise ValueError(
                f"{flavour.game} has no {name} {value}; choose one of {', '.join(map(str, known))}."
            )
