"""An opponent for `emulator_throughput.py`: bare loops of `env.step`, one in each of several
processes; prints one JSON line.

`raw` is the emulator's own environment, `wrapped` has metarl's frame skip, small grey pictures and
stacks around it. Loops wait for nobody, or run in step: a parent sends each process a byte, waits
until each has stepped once and answered with a byte, and sends the next.
"""

import argparse
import gzip
import json
import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

import gymnasium as gym
import numpy as np

SKIP = 4


def airstriker(kind: str, number: int) -> tuple[gym.Env, list[Any]]:
    """(environment of the `number`-th training level, actions)."""
    import stable_retro

    from metarl.tasks.games.airstriker import GAME, STATES, airstriker_levels
    from metarl.tasks.games.buttons import Buttons, button_table
    from metarl.tasks.games.retro_emulator import MakeRetro

    levels = [level for split, level in airstriker_levels() if split == "train"]
    level = levels[number % len(levels)]
    if kind == "wrapped":
        return MakeRetro("scenario", 6, states=STATES)(level), list(range(6))
    env: Any = stable_retro.make(GAME, stable_retro.State.NONE, render_mode="rgb_array")
    env.initial_state = gzip.decompress((STATES / f"{level.state}.state").read_bytes())
    return env, list(Buttons(env, button_table(GAME, 6), env.buttons).held)


def freeway(kind: str, number: int) -> tuple[gym.Env, list[Any]]:
    """Return the same for the game freeway of ale-py."""
    from ale_py.env import AtariEnv

    from metarl.tasks.games.atari_flavours import FLAVOURS
    from metarl.tasks.games.atari_game import Flavour, MakeAtari

    mode, difficulty = FLAVOURS["freeway"]["train"][number % 12]
    if kind == "wrapped":
        return MakeAtari()(Flavour("freeway", mode, difficulty)), list(range(3))
    return AtariEnv("freeway", mode, difficulty, frameskip=1, repeat_action_probability=0.25), list(
        range(3)
    )


GAMES = {"airstriker": airstriker, "freeway": freeway}


def player(game: str, kind: str, number: int) -> Callable[[], None]:
    """Return an environment that has warmed up.

    Each call is a step of four frames, under actions drawn beforehand.
    """
    env, actions = GAMES[game](kind, number)
    drawn = cycle(np.random.default_rng(number).integers(len(actions), size=200).tolist())
    held = 1 if kind == "wrapped" else SKIP
    env.reset(seed=number)
    for _ in range(40):
        env.step(actions[0])
    env.reset(seed=number)

    def step() -> None:
        action = actions[next(drawn)]
        for _ in range(held):
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
                break

    return step


def play_freely(results: Any, ready: Barrier, seconds: float, *played: Any) -> None:
    """What a process does that waits for nobody.

    It plays as long as the others, and reports its frames a second.
    """
    step = player(*played)
    ready.wait(120)
    steps = 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        step()
        steps += 1
    results.put(SKIP * steps / (time.perf_counter() - start))


def play_in_step(parent: Connection, *played: Any) -> None:
    """What a process does that is in step.

    A byte says that it is ready; then it steps for each that comes, and answers with one.
    """
    step = player(*played)
    with suppress(EOFError):  # the parent closes the pipe
        while True:
            parent.send_bytes(b".")
            parent.recv_bytes()
            step()


def freely(game: str, kind: str, processes: int, seconds: float) -> float:
    """Frames a second of all processes, the sum of theirs."""
    fresh = multiprocessing.get_context("spawn")
    ready = fresh.Barrier(processes)
    results = fresh.Queue()
    players = [
        fresh.Process(target=play_freely, args=(results, ready, seconds, game, kind, number))
        for number in range(processes)
    ]
    for each in players:
        each.start()
    rate = sum(results.get(timeout=180 + seconds) for _ in players)
    for each in players:
        each.join()
    return rate


def in_step(game: str, kind: str, processes: int, seconds: float, computing: float) -> float:
    """Return the same of processes in step, whose parent computes for `computing` milliseconds
    between two steps.
    """
    fresh = multiprocessing.get_context("spawn")
    pipes = [fresh.Pipe() for _ in range(processes)]
    players = [
        fresh.Process(target=play_in_step, args=(theirs, game, kind, number), daemon=True)
        for number, (_, theirs) in enumerate(pipes)
    ]
    for each, (_, theirs) in zip(players, pipes, strict=True):
        each.start()
        theirs.close()
    connections = [ours for ours, _ in pipes]
    for connection in connections:
        connection.recv_bytes()
    steps = 0
    start = time.perf_counter()
    while (now := time.perf_counter()) - start < seconds:
        while time.perf_counter() - now < computing / 1000:
            pass
        for connection in connections:
            connection.send_bytes(b".")
        for connection in connections:
            connection.recv_bytes()
        steps += 1
    took = time.perf_counter() - start
    for connection, each in zip(connections, players, strict=True):
        connection.close()
        each.join()
    return SKIP * steps * processes / took


def main() -> None:
    """Play `--game` in `--processes` processes for `--seconds`.

    With `--in-step`, the parent computes for so many milliseconds (none).
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--game", choices=tuple(GAMES), default="airstriker")
    parser.add_argument("--kind", choices=("raw", "wrapped"), default="raw")
    parser.add_argument("--in-step", type=float, nargs="?", const=0.0, metavar="MILLISECONDS")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=2.0)
    chosen = parser.parse_args()
    played = chosen.game, chosen.kind, chosen.processes, chosen.seconds
    rate = freely(*played) if chosen.in_step is None else in_step(*played, chosen.in_step)
    print(
        json.dumps(
            {
                "steps": rate * chosen.seconds,
                "seconds": chosen.seconds,
                "version": f"gymnasium {gym.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
