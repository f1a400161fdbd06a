"""How scripts end: with a sentence, never with a traceback, whatever stops them."""

import ast
from pathlib import Path

import pytest

import metarl

SCRIPTS = sorted((Path(metarl.__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_script_ends_with_plain_errors(script):
    ending = ast.parse(script.read_text()).body[-1]
    assert isinstance(ending, ast.If)
    assert ast.unparse(ending.test) == "__name__ == '__main__'"
    (whole,) = ending.body
    assert isinstance(whole, ast.With)
    assert [ast.unparse(item) for item in whole.items] == ["plain_errors()"]
