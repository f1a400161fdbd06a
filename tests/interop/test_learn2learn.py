"""learn2learn is imported when it is used, quietly, and one sentence says how to get it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from metarl.interop.learn2learn import import_learn2learn

ROOT = Path(__file__).parents[2]


def test_it_is_imported_quietly_and_only_when_used():
    script = """
import sys
import metarl.interop.learn2learn_env, metarl.interop.learn2learn_tasks, metarl.learners.initialisation.learn2learn
assert "learn2learn" not in sys.modules and "gym" not in sys.modules
from metarl.interop.learn2learn import import_learn2learn
print(import_learn2learn("This test").__version__)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0.2.0\n"
    assert not done.stderr


def test_without_it_one_sentence_says_how(monkeypatch):
    monkeypatch.setitem(sys.modules, "learn2learn", None)
    with pytest.raises(
        ValueError,
        match="A thing needs learn2learn, which can't be imported .*: run `make learn2learn`.",
    ):
        import_learn2learn("A thing")
