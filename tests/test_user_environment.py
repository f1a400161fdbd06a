"""The example of a user's own environment: short, as README shows it, and it runs."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "notebooks" / "own_environment.py"


def test_it_takes_at_most_twenty_lines_of_code():
    text = EXAMPLE.read_text()
    lines = [
        line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")
    ]
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 110
    statements = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]
    assert len(statements) <= 20, "no two statements in a line"


def test_readme_shows_it_as_it_is():
    readme = ROOT / "README.md"
    blocks = re.findall(
        r"```python\n(.*?)```", readme.read_text() if readme.exists() else "", re.DOTALL
    )
    shown = [block for block in blocks if "GymnasiumDistribution(" in block]
    assert all(block.strip() == EXAMPLE.read_text().strip() for block in shown)


def test_it_runs_checks_its_distribution_and_prints_a_row_an_episode():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert "return" in done.stdout.splitlines()[0]
    assert "[1000 rows x 8 columns]" in done.stdout
