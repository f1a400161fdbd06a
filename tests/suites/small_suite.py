"""Small suites of learners that cost nothing, as files that the command runs."""

import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from metarl.cli import main

ROOT = Path(__file__).parents[2]
HEAD = """
from metarl.core.budget import Episodes
from metarl.suites.suite import Preset, Scoring, Suite, Training

def tiny(kind, name, seeds=None, **settings):
    return Training(
        "tests.suites.misbehaving:" + kind, "BernoulliBandit-v0", {{"arms": 3}},
        settings=settings, name=name, seeds=seeds,
    )

SCORING = Scoring("BernoulliBandit-v0", {{"arms": 3}}, Episodes(10), {agents}, num_tasks=20)
SUITE = Suite("small", {{"cpu": Preset(({trainings},), (SCORING,), {seeds})}})
"""


def write_suite(folder, trainings, agents=("random",), seeds=(0,)):
    """Write a suite's file; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "small.py"
    file.write_text(HEAD.format(trainings=", ".join(trainings), agents=agents, seeds=seeds))
    return file


def suite_words(command, file, *words):
    """Return the command line of `metarl suite`."""
    place = [f"--runs={file.parent / 'runs'}", f"--results={file.parent / 'results'}"]
    if any(word.startswith("--runs=") for word in words):
        place = []
    return [sys.executable, "-m", "metarl", "suite", command, str(file), *place, *words]


def environment(**more):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", **more}


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def run_suite(file, *words, command="run", **more):
    """Run a suite's command to its end, in this process; its jobs are processes all the same."""
    out = io.StringIO()
    err = io.StringIO()
    before = dict(os.environ)
    os.environ.update(COLUMNS="200", OMP_NUM_THREADS="1", **more)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main(suite_words(command, file, *words)[3:])
        status = 0
    except SystemExit as ended:
        status = ended.code or 0
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Done(status, out.getvalue(), err.getvalue())


def start_suite(file, *words, **more):
    """Start a suite, in a process group of its own."""
    return subprocess.Popen(
        suite_words("run", file, *words),
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
        # Whoever runs the tests in the background has it ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def processes_of(folder):
    """Return the ids of processes whose command names something in `folder`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        named = any(str(folder).encode() in word for word in words)
        if entry.name.isdigit() and named and b"metarl" in words:
            found.append(int(entry.name))
    return found
