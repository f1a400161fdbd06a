"""Every Python block of README and of the guides in docs/ runs as it stands.

A block whose fence says `python slow` runs with the slow tests.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The guide to other projects' families has a test of its own: tests/envs/test_other_families.py
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
    if page.exists() and page.name != "other_families.md"
]


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
    ("page", "line", "code"),
    [
        pytest.param(
            page, line, code, id=f"{page.stem}-line-{line}", marks=[pytest.mark.slow] * slow
        )
        for page in PAGES
        for line, code, slow in blocks(page.read_text(encoding="utf-8"))
    ],
)
def test_a_block_runs(page, line, code, tmp_path, monkeypatch):
    # Blocks load what is published there, and write beside it
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.chdir(tmp_path)
    exec(compile("\n" * line + code, str(page), "exec"), {"__name__": "readme"})
