"""How fast emulators are played, against bare loops of `env.step` in as many processes on the same cores, turn about in one sitting.

Ours plays through MetaEpisodeEnv: a worker process a row, sticky frame skip, small grey pictures and stacks made in the worker, an
observation of all rows at each step. A bare loop has nobody to wait for: `raw` steps the emulator's own environment, four frames an
action, and shows the screen as it is; `wrapped` has our wrappers around it too. What rows lose by waiting for each other shows where a
bare parent steps the same loops all at once, and does nothing between two steps, or computes. Frames are counted, four a step, at all.

    python benchmarks/emulator_throughput.py --publish

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
from metarl.experiments.benchmark_folders import Storage, changed
from metarl.results import write_csv

GAMES = {"Airstriker-v0": "airstriker", "AtariFlavours-v0": "freeway"}  # our family -> what bare loops call its game
WANTED = {"Airstriker-v0": 0.8}  # of the raw loops' frames/s
RIVALS = {"raw": ("--kind", "raw"), "wrapped": ("--kind", "wrapped")}  # bare loops, and what makes them so
IN_STEP = {  # the same, stepped by a bare parent
    "raw loops in step": (*RIVALS["raw"], "--in-step"),
    "raw loops in step, 0.6 ms between steps": (*RIVALS["raw"], "--in-step", "0.6"),
    "wrapped loops in step, 0.3 ms between steps": (*RIVALS["wrapped"], "--in-step", "0.3"),
}


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        preset: smoke only shows that everything runs.
        repeats: measurements of each subject.
        processes: numbers of processes; one, four and eight a core if left out.
        families: which of our families.
        publish: write to results/emulator_throughput rather than runs/emulator_throughput.
    """

    preset: Literal["smoke", "cpu"] = "cpu"
    repeats: int = 5
    processes: tuple[int, ...] = ()
    families: tuple[str, ...] = tuple(GAMES)
    publish: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.families) - set(GAMES)
        if unknown:
            raise ValueError(f"There are no bare loops for {', '.join(sorted(unknown))}; choose among {', '.join(GAMES)}.")
        if min(self.processes, default=1) < 1 or self.repeats < 1:
            raise ValueError(f"processes and repeats must be at least 1, not {self.processes} and {self.repeats}.")

    @property
    def folder(self) -> Path:
        """Where results go."""
        return Path("results" if self.publish else "runs") / "emulator_throughput"

    @property
    def command(self) -> str:
        """What measures the figures again."""
        return Storage(self.publish).command("emulator_throughput", changed(self, "families", "repeats", "processes"))

    @property
    def timing(self) -> Timing:
        """How long one measurement lasts."""
        return Timing(preset=self.preset)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of processes."""
        cores = os.cpu_count() or 1
        return self.processes or ((2,) if self.preset == "smoke" else (cores, 4 * cores, 8 * cores))


def subject(name: str, id: str, processes: int) -> Subject:
    """`metarl`, or bare loops of RIVALS or IN_STEP, of the game of our family `id`."""
    words = ("--id", id) if name == "metarl" else ("--game", GAMES[id], *(RIVALS | IN_STEP)[name])
    script = OPPONENTS / ("own_games.py" if name == "metarl" else "bare_games.py")
    one_thread = () if name == "metarl" else (("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1"))  # our workers set it themselves
    return Subject(name, (sys.executable, str(script), *words, "--processes", str(processes)), one_thread)


def main(options: Options) -> None:
    """Measure, print, save."""
    console = Console(highlight=False)
    console.print(machine())
    options.folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for id in options.families:
        for processes in options.numbers:
            rates: dict[str, list[float]] = {name: [] for name in ("metarl", *RIVALS, *IN_STEP)}
            for repeat in range(options.repeats):
                for name in rates:
                    rate, load = measure(subject(name, id, processes), options.timing), os.getloadavg()[0]
                    rates[name].append(rate)
                    entry = {"family": id, "subject": name, "processes": processes, "repeat": repeat, "load": load}
                    rows.append({**entry, "frames_per_second": rate})
                    write_csv(options.folder / "throughput.csv", pd.DataFrame(rows))
            ours = np.asarray(rates["metarl"])
            title = f"{id} in {processes} processes"
            note_median(options.folder, console, f"{title}: frames a second", None, ours, options.command)
            for rival in RIVALS:
                wanted = WANTED.get(id) if rival == "raw" else None
                part = ours / np.asarray(rates[rival])
                note_median(options.folder, console, f"{title}: part of the rate of {rival} loops", wanted, part, options.command)
            for name in IN_STEP:
                part = np.asarray(rates[name]) / np.asarray(rates["raw"])
                note_median(options.folder, console, f"{title}: {name}, part of the rate of raw loops", None, part, options.command)


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options))
