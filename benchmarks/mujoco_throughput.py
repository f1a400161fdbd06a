"""How fast MuJoCo tasks are played, against Gymnasium's vector environments on the same cores, turn about in one sitting.

Each measurement is a process of its own. Ours plays through MetaEpisodeEnv, with fresh tasks after each meta-episode; where physics are
randomised, every row has a model of its own. Gymnasium's plays its one fixed model. Opponents get the number of environments that
suits them best.

    python benchmarks/mujoco_throughput.py --publish

Results: throughput.csv (every measurement), figures.csv.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import tyro
from rich.console import Console
from throughput import OPPONENTS, Subject, machine, measure, note_median
from throughput import Options as Timing

from metarl.cli import plain_errors
from metarl.results import write_csv

ROBOTS = {  # our family -> Gymnasium's environment of the same robot
    "HalfCheetahPhysics-v0": "HalfCheetah-v5",
    "HalfCheetahVelocity-0to3-h200-v0": "HalfCheetah-v5",
    "HopperPhysics-v0": "Hopper-v5",
    "Walker2dPhysics-v0": "Walker2d-v5",
    "AntPhysics-v0": "Ant-v5",
}
COMMAND = "python benchmarks/mujoco_throughput.py --publish"


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        preset: smoke only shows that everything runs.
        repeats: measurements of each subject.
        families: which of our families; all that have an opponent if left out.
        publish: write to results/mujoco_throughput rather than runs/mujoco_throughput.
    """

    preset: Literal["smoke", "cpu"] = "cpu"
    repeats: int = 5
    families: tuple[str, ...] = tuple(ROBOTS)
    publish: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.families) - set(ROBOTS)
        if unknown:
            raise ValueError(f"There is no opponent for {', '.join(sorted(unknown))}; choose among {', '.join(ROBOTS)}.")

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path("results" if self.publish else "runs") / "mujoco_throughput"

    @property
    def timing(self) -> Timing:
        """How long one measurement lasts."""
        return Timing(preset=self.preset)

    @property
    def envs(self) -> dict[str, tuple[int, ...]]:
        """Numbers of environments that each subject may choose from."""
        if self.preset == "smoke":
            return {"metarl": (4,), "sync": (2,), "async": (2,)}
        cores = os.cpu_count() or 1
        return {"metarl": (64, 128, 256, 512), "sync": (4, 16, 64), "async": (cores, 2 * cores, 8 * cores)}


def subject(name: str, id: str, envs: int) -> Subject:
    """`metarl`, or Gymnasium's `sync` or `async` vector environment, playing the robot of our family `id`."""
    if name == "metarl":
        return Subject(name, (sys.executable, str(OPPONENTS / "own_mujoco.py"), "--id", id, "--envs", str(envs)))
    script = str(OPPONENTS / "gymnasium_mujoco.py")
    return Subject(name, (sys.executable, script, "--id", ROBOTS[id], "--kind", name, "--envs", str(envs)), (("OMP_NUM_THREADS", "1"),))


def main(options: Options) -> None:
    """Measure, print, save."""
    console = Console(highlight=False)
    console.print(machine())
    options.folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for id in options.families:
        chosen = {
            name: max((subject(name, id, envs) for envs in numbers), key=lambda each: measure(each, options.timing))
            if len(numbers) > 1
            else subject(name, id, numbers[0])
            for name, numbers in options.envs.items()
        }
        rates: dict[str, list[float]] = {name: [] for name in chosen}
        for repeat in range(options.repeats):
            for name, each in chosen.items():
                rate, load = measure(each, options.timing), os.getloadavg()[0]
                rates[name].append(rate)
                entry = {"family": id, "subject": name, "envs": int(each.command[-1]), "repeat": repeat, "load": load}
                rows.append({**entry, "steps_per_second": rate})
                write_csv(options.folder / "throughput.csv", pd.DataFrame(rows))
        ours = np.asarray(rates["metarl"])
        note_median(options.folder, console, f"{id}: environment steps a second", None, ours, COMMAND)
        for rival, wanted, name in (("sync", 2.0, "SyncVectorEnv"), ("async", 1.0, "AsyncVectorEnv")):
            figure = f"{id}: times the rate of Gymnasium's {name} of {ROBOTS[id]}"
            note_median(options.folder, console, figure, wanted, ours / np.asarray(rates[rival]), COMMAND)


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options))
