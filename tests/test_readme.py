"""Every Python block of README runs as it stands.

A block whose fence says `python slow` runs with the slow tests.
"""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"


def blocks(text: str) -> list[tuple[int, str, bool]]:
    """(line, code, slow) of every fenced Python block."""
    found = re.finditer(r"^```python([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [
        (text[: match.start()].count("\n") + 1, match[2], "slow" in match[1].split())
        for match in found
    ]


def test_blocks_are_found():
    text = "a\n```python\nx = 1\n```\n```bash\nls\n```\n```python slow\ny = 2\n```\n"
    assert blocks(text) == [(2, "x = 1\n", False), (8, "y = 2\n", True)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        pytest.param(line, code, id=f"line-{line}", marks=[pytest.mark.slow] if slow else [])
        for line, code, slow in blocks(
            README.read_text(encoding="utf-8") if README.exists() else ""
        )
    ],
)
def test_a_block_runs(line, code, tmp_path, monkeypatch):
    # Blocks load what is published there, and write beside it
    (tmp_path / "results").symlink_to(README.parent / "results")
    monkeypatch.chdir(tmp_path)
    exec(compile("\n" * line + code, str(README), "exec"), {"__name__": "readme"})
