"""An opponent for `emulator_throughput.py`: bare loops of `env.step`, one in each of several processes; prints one JSON line.

`raw` is the emulator's own environment, `wrapped` has metarl's frame skip, small grey pictures and stacks around it.
"""

import argparse
import gzip
import json
import multiprocessing
import time
from multiprocessing.synchronize import Barrier
from typing import Any

import gymnasium as gym
import numpy as np

SKIP = 4


def airstriker(kind: str, number: int) -> tuple[gym.Env, list[Any]]:
    """(environment of the `number`-th training level, actions)."""
    import stable_retro

    from metarl.tasks.airstriker import GAME, STATES, airstriker_levels
    from metarl.tasks.buttons import Buttons, button_table
    from metarl.tasks.retro_emulator import MakeRetro

    levels = [level for split, level in airstriker_levels() if split == "train"]
    level = levels[number % len(levels)]
    if kind == "wrapped":
        return MakeRetro("scenario", 6, states=STATES)(level), list(range(6))
    env: Any = stable_retro.make(GAME, stable_retro.State.NONE, render_mode="rgb_array")
    env.initial_state = gzip.decompress((STATES / f"{level.state}.state").read_bytes())
    return env, list(Buttons(env, button_table(GAME, 6), env.buttons).held)


def freeway(kind: str, number: int) -> tuple[gym.Env, list[Any]]:
    """The same for the game freeway of ale-py."""
    from ale_py.env import AtariEnv

    from metarl.tasks.atari_flavours import FLAVOURS
    from metarl.tasks.atari_game import Flavour, MakeAtari

    mode, difficulty = FLAVOURS["freeway"]["train"][number % 12]
    if kind == "wrapped":
        return MakeAtari()(Flavour("freeway", mode, difficulty)), list(range(3))
    return AtariEnv("freeway", mode, difficulty, frameskip=1, repeat_action_probability=0.25), list(range(3))


GAMES = {"airstriker": airstriker, "freeway": freeway}


def play(game: str, kind: str, number: int, seconds: float, ready: Barrier) -> float:
    """Frames a second of one process, which plays as long as the others."""
    env, actions = GAMES[game](kind, number)
    chosen = np.random.default_rng(number).integers(len(actions), size=200)
    held = 1 if kind == "wrapped" else SKIP
    env.reset(seed=number)
    for _ in range(40):
        env.step(actions[0])
    env.reset(seed=number)
    ready.wait(120)
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        action = actions[chosen[steps % 200]]
        for _ in range(held):
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
                break
        steps += 1
    return SKIP * steps / (time.perf_counter() - start)


def serve(results: Any, *arguments: Any) -> None:
    """What a process does."""
    results.put(play(*arguments))


def main() -> None:
    """Play `--game` in `--processes` processes for `--seconds`; the rate is the sum of theirs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--game", choices=tuple(GAMES), default="airstriker")
    parser.add_argument("--kind", choices=("raw", "wrapped"), default="raw")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    ready, results = fresh.Barrier(chosen.processes), fresh.Queue()
    players = [
        fresh.Process(target=serve, args=(results, chosen.game, chosen.kind, number, chosen.seconds, ready))
        for number in range(chosen.processes)
    ]
    for player in players:
        player.start()
    rate = sum(results.get(timeout=180 + chosen.seconds) for _ in players)
    for player in players:
        player.join()
    print(json.dumps({"steps": rate * chosen.seconds, "seconds": chosen.seconds, "version": f"gymnasium {gym.__version__}"}))


if __name__ == "__main__":
    main()
