"""An opponent for `visual_maze_throughput.py`: ViZDoom's maze at its smallest resolution, random actions; prints one JSON line.

Runs in an environment of its own, which holds vizdoom. As many processes as cores, an instance each, start together.
"""

import argparse
import json
import multiprocessing
import os
import random
import time
from multiprocessing.synchronize import Barrier
from typing import Any


def play(seconds: float, seed: int, barrier: Barrier, rates: Any) -> None:
    """Step one instance for `seconds`; every frame is read."""
    import vizdoom

    game = vizdoom.DoomGame()
    game.load_config(os.path.join(vizdoom.scenarios_path, "my_way_home.cfg"))
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_depth_buffer_enabled(False)
    game.set_labels_buffer_enabled(False)
    game.set_automap_buffer_enabled(False)
    game.set_objects_info_enabled(False)
    game.set_sectors_info_enabled(False)
    game.set_sound_enabled(False)
    game.set_window_visible(False)
    game.set_render_hud(False)
    game.set_mode(vizdoom.Mode.PLAYER)
    game.set_seed(seed)
    game.init()
    rng, buttons = random.Random(seed), len(game.get_available_buttons())
    actions = [[float(i == chosen) for i in range(buttons)] for chosen in range(3)]  # turn left, turn right, forward
    for _ in range(200):
        frame(game, rng.choice(actions))
    barrier.wait()
    frames, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(50):
            frames += frame(game, rng.choice(actions)) is not None
    rates.put((frames, time.perf_counter() - start, vizdoom.__version__))
    game.close()


def frame(game: Any, action: list[float]) -> Any:
    """The view after `action` at frame skip 1; a new episode's first one where the old one ended."""
    game.make_action(action)
    if game.is_episode_finished():
        game.new_episode()
    return game.get_state().screen_buffer


def main() -> None:
    """Step `--processes` instances for `--seconds`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    chosen = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    barrier, rates = context.Barrier(chosen.processes), context.Queue()
    players = [context.Process(target=play, args=(chosen.seconds, seed, barrier, rates)) for seed in range(chosen.processes)]
    for player in players:
        player.start()
    played = [rates.get(timeout=chosen.seconds + 120) for _ in players]
    for player in players:
        player.join()
    rate = sum(frames / seconds for frames, seconds, _ in played)
    print(json.dumps({"steps": rate * chosen.seconds, "seconds": chosen.seconds, "version": f"vizdoom {played[0][2]}"}))


if __name__ == "__main__":
    main()
