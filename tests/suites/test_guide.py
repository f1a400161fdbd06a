"""The suite of docs/suites.md runs as it stands there."""

import re
from pathlib import Path

import pandas as pd

from tests.suites.small_suite import run_suite

GUIDE = Path(__file__).parents[2] / "docs" / "suites.md"


def test_the_guides_suite_has_thirty_lines_at_most_and_runs(tmp_path):
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[1]
    assert len(code.splitlines()) <= 30
    file = tmp_path / "my_suite.py"
    file.write_text(code)
    only = ["--only", "rl2-BernoulliBandit*", "agents/BernoulliBandit*-gittins", "*-random"]
    done = run_suite(file, "--preset=smoke", *only)
    assert done.returncode == 0, done.stdout + done.stderr
    board = pd.read_csv(tmp_path / "runs/my-suite/smoke/tables/leaderboard.csv")
    assert set(board["label"]) == {"RL²", "Gittins", "Random"}
    assert "RL², 1 seed" in done.stdout
