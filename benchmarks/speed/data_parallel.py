"""How fast a learner is in two processes, beside another version of this package, turn about.

RL² with 64 hidden units on 4,096 tasks, and MLSH on 64 tasks, each in two processes of one thread.
Both versions do the same updates in fresh interpreters, one after the other; a pair is the first
version's time over the second's. Beside the clock it counts the processor time of both processes,
which says more where other programs keep the machine busy.

    python benchmarks/speed/data_parallel.py --before FOLDER

FOLDER is a worktree of the other version; its learners need `processes` among their settings.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from metarl.cli import plain_errors

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = {
    "rl2": ("BernoulliBandit-v0", {"num_envs": 4096, "processes": 2}, 12),
    "mlsh": ("MovingBandits-v0", {"tasks": 64, "processes": 2}, 10),
}
# runs in either version, so it uses only what both have
SUBJECT = """
import json, os, sys, time
from dataclasses import replace
from pathlib import Path
import metarl
name, id, settings, updates = json.loads(sys.argv[1])
distribution = metarl.make(id)
config = replace(metarl.suggested_config(name, distribution), **settings)
learner = metarl.make_learner(name, distribution, config)
learner.update()
def processor_seconds():
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    ticks = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13] for pid in children]
    others = sum(int(each) for pair in ticks for each in pair) / os.sysconf("SC_CLK_TCK")
    return time.process_time() + others
clock, processor = time.perf_counter(), processor_seconds()
for _ in range(updates):
    learner.update()
clock, processor = time.perf_counter() - clock, processor_seconds() - processor
print(json.dumps({"clock": clock / updates, "processor": processor / updates}))
learner.close()
"""


@dataclass(frozen=True)
class Options:
    """What to compare.

    Attributes:
        before: worktree of the other version.
        pairs: measurements of each version, turn about.
        learners: which learners.
    """

    before: Path
    pairs: int = 5
    learners: tuple[str, ...] = tuple(SUBJECTS)


def measure(folder: Path, learner: str) -> dict[str, float]:
    """Return seconds an update by the clock and by the processors, of the version in `folder`."""
    plan = json.dumps([learner, *SUBJECTS[learner]])
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SUBJECT, plan],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def summary(name: str, before: list[float], now: list[float]) -> str:
    """Return the median of the paired ratios and their range, which is a 94 % interval with five
    pairs.
    """
    ratios = np.divide(before, now)
    median = np.median(ratios)
    low = ratios.min()
    high = ratios.max()
    seconds = f"{np.median(before):.3f} s before, {np.median(now):.3f} s now"
    return f"{name}: {median:.3f} [{low:.3f}, {high:.3f}] times as fast ({seconds})"


def main(options: Options) -> None:
    """Measure and print."""
    for learner in options.learners:
        rows: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for pair in range(options.pairs):
            # whoever comes first in a pair changes, since the machine's load drifts
            folders = (
                [options.before.resolve(), ROOT]
                if pair % 2 == 0
                else [ROOT, options.before.resolve()]
            )
            seconds = {folder: measure(folder, learner) for folder in folders}
            rows.append((seconds[options.before.resolve()], seconds[ROOT]))
        for kind in ("clock", "processor"):
            before = [row[0][kind] for row in rows]
            now = [row[1][kind] for row in rows]
            print(summary(f"{learner}, {kind} time an update", before, now), flush=True)
        print(f"load of the machine: {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    with plain_errors():
        main(tyro.cli(Options))
