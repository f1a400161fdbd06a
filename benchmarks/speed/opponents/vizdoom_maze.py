"""An opponent for `visual_maze_throughput.py`: ViZDoom's maze at its smallest resolution, frame
skip 1, random actions.

Runs in an environment of its own, which holds vizdoom. For each line on standard input, a number of
seconds, it plays that long and prints a line of JSON. The engine is a child process that works in
lockstep with this one.
"""

import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import vizdoom  # type: ignore[import-not-found]


def make_game(seed: int) -> Any:
    """Return one instance, without a window, sound or anything but the image."""
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
    game.set_render_hud(False)
    game.set_window_visible(False)
    game.set_mode(vizdoom.Mode.PLAYER)
    game.set_seed(seed)
    game.init()
    return game


def processor_seconds() -> float:
    """Processor time of this process and of its children that are alive (Linux)."""
    total = time.process_time()
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def main() -> None:
    """Play when told to."""
    seed = int(sys.argv[1])
    game = make_game(seed)
    rng = random.Random(seed)
    buttons = len(game.get_available_buttons())
    # Turn left, turn right, walk forward
    actions = [[float(i == chosen) for i in range(buttons)] for chosen in range(3)]
    for line in sys.stdin:
        steps = 0
        used = processor_seconds()
        start = time.perf_counter()
        while time.perf_counter() - start < float(line):
            for _ in range(50):
                game.make_action(rng.choice(actions))
                if game.is_episode_finished():
                    game.new_episode()
                steps += game.get_state().screen_buffer is not None
        seconds = time.perf_counter() - start
        used = processor_seconds() - used
        print(
            json.dumps(
                {
                    "steps": steps,
                    "seconds": seconds,
                    "processor": used,
                    "version": f"vizdoom {vizdoom.__version__}",
                }
            ),
            flush=True,
        )
    game.close()


if __name__ == "__main__":
    main()
