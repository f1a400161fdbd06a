"""Atari games in many flavours.

Other modes and difficulties of one game as tasks (Farebrother et al. 2018, arXiv 1810.00123).
"""

import re
from collections.abc import Iterable
from itertools import product
from typing import Any

from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.processes import DEFAULT_PATIENCE
from metarl.tasks.games.atari_game import Flavour, MakeAtari, check_flavours

__all__ = ["FLAVOURS", "AtariFlavours"]

Switches = tuple[tuple[int, int], ...]  # (mode, difficulty)


def _every(modes: Iterable[int]) -> Switches:
    return tuple(product(modes, (0, 1)))


# What test flavours combine is seen in training, each part apart
FLAVOURS: dict[str, dict[str, Switches]] = {
    "breakout": {"train": _every((0, 4, 8, 32, 40, 44)), "test": _every((12, 36))},
    "freeway": {"train": _every((0, 1, 3, 4, 5, 6)), "test": _every((2, 7))},
    "pong": {"train": ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 3)), "test": ((0, 3), (1, 2))},
    "space_invaders": {
        "train": _every((0, 1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 15)),
        "test": _every((3, 6, 9, 12)),
    },
}


class AtariFlavours(GymnasiumDistribution):
    """A game of the Atari 2600 whose switches make it another: each task is a mode and a
    difficulty, which the agent isn't told.

    | part | value |
    |---|---|
    | observation | uint8 Box [84, 84, 4]: the last four screens, grey, oldest first; of a step's last two frames the brighter pixels |
    | action | Discrete: the game's minimal set, the same in all flavours; freeway 3, breakout 4, pong and space_invaders 6 |
    | step | `frame_skip` frames; at each, the action of the frame before goes on with probability `stickiness` (Machado et al. 2018) |
    | reward | the change of the score, times `reward_scale`; not clipped |
    | start | a new game, always the same in a flavour; no idle steps, and no button pressed: in breakout the ball waits for FIRE |
    | end | terminated when the game is over, or with `one_life` when a life is lost; truncated at the horizon |
    | success | none told |
    | hidden | the flavour; some show at the start (traffic, sizes of paddles), others in play only |
    | splits | `FLAVOURS`: breakout 12 and 4, freeway 12 and 4, pong 6 and 2, space_invaders 24 and 8 for training and test |
    | bound | none computed |
    | versions | v0 |

    How flavours differ, as seen by playing them with equal actions:

    | game | modes | difficulties |
    |---|---|---|
    | breakout | 0 plain, 4 the ball can be steered, 8 FIRE catches it, 12 bricks can't be seen | 1: the paddle is small |
    | | 32, 36, 40, 44: the same, but the ball breaks through bricks | |
    | freeway | 0 to 3: four kinds of traffic, from sparse to rows of lorries | 0: a car that hits pushes the chicken back |
    | | 4 to 7: the same with changing speeds | 1: the chicken starts over |
    | pong | 1: balls are served steeper | 1: the opponent's paddle is small, 2: the player's, 3: both |
    | space_invaders | sums of 1 shields move, 2 bombs zigzag, 4 bombs are fast, 8 invaders can't be seen | 1: the cannon is wide |

    Breakout's modes 16 to 28 are left out: there the score counts seconds, so that it would pay to
    play badly.

    Args:
        game: one of `FLAVOURS`, or any game of ale-py for one player if `train` or `test` say which
            flavours.
        train, test: flavours in place of the named ones, as MODE/DIFFICULTY with commas between,
            such as "0/0,1/0".
        frame_skip: frames a step. stickiness: probability that a frame goes on with the action of
            the frame before.
        one_life: end an episode with the first life lost; the next one begins a new game.
        horizon: most steps in an episode; 4,500 are five minutes with a frame_skip of 4.
        reward_scale: factor of rewards, for training.
        workers: worker processes that share the rows; results don't depend on it.
        patience: seconds that a worker has for one step or reset of its rows before it is ended and
            named; None waits for ever.

    Raises:
        ValueError: ale-py isn't installed, has no such game or flavour, or an argument is out of
            bounds.
    """

    id = "AtariFlavours-v0"
    has_success = False
    reveals = True  # by what a flavour looks like

    def __init__(
        self,
        game: str = "freeway",
        train: str = "",
        test: str = "",
        frame_skip: int = 4,
        stickiness: float = 0.25,
        one_life: bool = False,
        horizon: int = 4500,
        reward_scale: float = 1.0,
        workers: int = 0,
        patience: float | None = DEFAULT_PATIENCE,
    ):
        self.game = game
        self.train = train
        self.test = test
        named = FLAVOURS.get(game, {})
        given = {"train": self._switches(train), "test": self._switches(test)}
        splits = {
            split: [Flavour(game, *pair) for pair in given[split] or named.get(split, ())]
            for split in given
        }
        check_flavours(game, [*splits["train"], *splits["test"]])
        if not any(splits.values()):
            raise ValueError(
                f"{self.id}: no flavours of {game} are named; choose {', '.join(FLAVOURS)}, or say"
                " which, such as train=0/0,1/0 test=2/0."
            )
        self.make = MakeAtari(frame_skip, stickiness, one_life, reward_scale)
        super().__init__(
            self.id,
            self.make,
            {split: each for split, each in splits.items() if each},
            horizon,
            workers=workers,
            patience=patience,
        )

    def config(self) -> dict[str, Any]:
        settings = {
            name: getattr(self.make, name)
            for name in ("frame_skip", "stickiness", "one_life", "reward_scale")
        }
        return {
            "game": self.game,
            "train": self.train,
            "test": self.test,
            **settings,
            "horizon": self.horizon,
        }

    def _switches(self, text: str) -> Switches:
        if not re.fullmatch(r"(\d+/\d+(,\s*\d+/\d+)*)?", text):
            raise ValueError(
                f"{self.id}: flavours are MODE/DIFFICULTY with commas between, such as 0/0,1/0, not"
                f" {text!r}."
            )
        return tuple(
            (int(mode), int(difficulty)) for mode, difficulty in re.findall(r"(\d+)/(\d+)", text)
        )
