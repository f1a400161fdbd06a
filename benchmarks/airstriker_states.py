"""Plays Airstriker from power-on and saves the states in which the tasks of `Airstriker-v0` start.

Levels are played by looking ahead: every 8 frames some random plans are tried on the emulator itself, and the one that lives is followed.
No shot is fired, so that all are left: in play with shots they ran out before a level's end.

    python benchmarks/airstriker_states.py --out metarl/tasks/airstriker_states

takes some minutes and writes STATE.state files of a few kilobytes each. A second run's files differ in a few bytes and
play alike; with another version of the emulator, states may differ.
"""

import argparse
import gzip
import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import stable_retro as retro

from metarl.cli import plain_errors
from metarl.tasks.buttons import button_table

GAME = "Airstriker-Genesis-v0"
HOLD = 8  # frames that a plan's action is held for
AHEAD = 11  # actions of a plan
PLANS = 20  # tried, until one lasts
BACK = 8  # looks to go back where none does, the first time
FURTHEST = 5  # times as many, the fifth time; then it is BACK again
DYING = (0, 1, 2)  # what the game's variable `gameover` is while the ship explodes
WARP = 200  # frames from a level's end to the next one's beginning
MIDDLE = 55  # looks from a level's beginning to its middle
USED = 0x24000  # bytes of the core's state; what follows is left over from the process's memory


class Player:
    """An emulator, and the plan that is being followed."""

    def __init__(self, seed: int):
        self.env = retro.make(GAME, retro.State.NONE, use_restricted_actions=retro.Actions.ALL, render_mode="rgb_array")
        self.env.reset()
        self.rng = np.random.default_rng(seed)
        self.masks = [np.array([name in line for name in self.env.buttons], np.uint8) for line in button_table(GAME, 6)]
        self.plan: list[int] = []  # of the table's first three actions: nothing, left, right
        self.begin()

    def begin(self) -> None:
        """Forget the way here: nothing before this moment is gone back to."""
        self.passed: list[bytes] = []  # states of the looks since
        self.furthest = self.stuck = 0  # most looks so far, and how often no plan lasted since there were so many

    def press(self, *buttons: str, frames: int) -> dict[str, int]:
        """Hold buttons; what the game's variables are then."""
        return self._hold(np.array([name in buttons for name in self.env.buttons], np.uint8), frames)

    def dodge(self) -> dict[str, int]:
        """Look ahead, and play HOLD frames; where no plan lasts, go back some looks, further each time, and try others."""
        while True:
            start = self.env.em.get_state()
            plans = [self.plan[1:] + [int(self.rng.integers(3))]] if self.plan else []
            plans += [self.rng.integers(3, size=AHEAD).repeat(self.rng.integers(1, 4))[:AHEAD].tolist() for _ in range(PLANS)]
            for plan in plans:
                lasts = self._lasts(plan)
                self._return_to(start)
                if lasts:
                    self.passed.append(start)
                    if len(self.passed) > self.furthest:
                        self.furthest, self.stuck = len(self.passed), 0
                    self.plan = plan
                    return self._hold(self.masks[plan[0]], HOLD)
            self.stuck = self.stuck % FURTHEST + 1
            first, self.plan = max(len(self.passed) - BACK * self.stuck, 0), []
            self._return_to(self.passed[first])
            del self.passed[first:]

    def state(self) -> bytes:
        """The present state, in the form of stable-retro's files."""
        state = self.env.em.get_state()
        stream = io.BytesIO()
        with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as file:
            file.write(state[:USED] + bytes(len(state) - USED))
        return stream.getvalue()

    def _lasts(self, plan: list[int]) -> bool:
        """Whether the ship lives through a plan."""
        return all(self._hold(self.masks[action], HOLD)["gameover"] not in DYING for action in plan)

    def _hold(self, mask: np.ndarray, frames: int) -> dict[str, Any]:
        self.env.em.set_button_mask(mask, 0)
        for _ in range(frames):
            self.env.em.step()
        self.env.data.update_ram()
        return dict(self.env.data.lookup_all())

    def _return_to(self, state: bytes) -> None:
        self.env.em.set_state(state)
        self.env.data.update_ram()


def choose(player: Player, mode: int) -> dict[str, int]:
    """From the title, start a game: 0 is one player's levels, 2 the mode that goes on until the last life."""
    for button in ("START", "B", *["DOWN"] * mode, "B"):
        player.press(button, frames=4)
        player.press(frames=40)
    now = player.press(frames=20)
    assert now["score"] == mode << 17, f"the menu led elsewhere: {now}"
    return now


def play_levels(seed: int) -> Iterator[tuple[str, bytes]]:
    """Through the three levels without a shot: each one's beginning, and its middle."""
    player = Player(seed)
    player.press(frames=600)
    now = choose(player, mode=0)
    for level in (1, 2, 3):
        lives = now["lives"]
        yield f"level{level}-start", player.state()
        player.begin()
        while len(player.passed) < MIDDLE:
            now = player.dodge()
        yield f"level{level}-middle", player.state()
        while level < 3 and now["lives"] == lives:  # the next level comes with a ship more
            now = player.dodge()
        player.press(frames=WARP)
    player.env.close()


def start_endurance(games: int, apart: int) -> Iterator[tuple[str, bytes]]:
    """Beginnings of the endless mode, whose waves go on, from game to game, in the order that the game draws them in.

    Between two that are kept, `apart` games are lost by standing still: more waves than an episode of either lasts.
    """
    player = Player(0)
    player.press(frames=600)
    for game in range((games - 1) * apart + 1):
        choose(player, mode=2)
        if game % apart == 0:
            yield f"endurance-{game // apart + 1}", player.state()
        while (now := player.press(frames=1))["lives"] or now["gameover"] != 1:
            pass
        player.press(frames=400)
    player.env.close()


def main() -> None:
    """Play, and write the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("metarl/tasks/airstriker_states"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, state in chain(start_endurance(games=6, apart=10), play_levels(arguments.seed)):
        (arguments.out / f"{name}.state").write_bytes(state)
        print(f"{name}: {len(state)} bytes", flush=True)


if __name__ == "__main__":
    with plain_errors():
        main()
