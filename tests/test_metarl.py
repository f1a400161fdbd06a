"""The package itself: lazy exports, a fast import, an import that changes nothing."""

import os
import subprocess
import sys

import pytest

import metarl


def test_every_public_name_is_there():
    for name in metarl.__all__:
        assert getattr(metarl, name) is not None
    assert set(dir(metarl)) == set(metarl.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'metarl' has no attribute 'learn'"):
        _ = metarl.learn


def run(code, **environment):
    """Run `code` in a fresh process without settings of its own but `environment`.

    Return what it printed.
    """
    names = ("GOMP_SPINCOUNT", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**inherited, **environment},
    )
    return done.stdout + done.stderr


# Replaces the C library by one that notes the settings of the allocator.
NOTED = """
import ctypes, os, sys
calls = []
class Library:
    def __init__(self, name):
        pass
    def mallopt(self, option, value):
        calls.append((option, value))
        return 1
ctypes.CDLL = Library
"""


@pytest.mark.parametrize("first", ["", "import torch"])
def test_importing_it_changes_nothing_in_the_process(first):
    code = f"""
import os, sys, warnings
import gymnasium  # which loads other packages' plug-ins, whatever those do
warnings.simplefilter("error")
{first}
import ctypes
def refuse(*arguments):
    raise AssertionError("a setting of the C library")
before, ctypes.CDLL = dict(os.environ), refuse
import metarl
assert dict(os.environ) == before
assert {bool(first)} or "torch" not in sys.modules and "pandas" not in sys.modules
"""
    assert run(code) == ""


def test_a_process_is_tuned_before_pytorch_comes():
    code = (
        NOTED
        + """
import metarl
metarl.tune_process()
assert "torch" not in sys.modules and "pandas" not in sys.modules
print(os.environ["GOMP_SPINCOUNT"], sorted({option for option, value in calls}))
"""
    )
    assert run(code) == "1000 [-3, -1]\n"


def test_tuning_says_where_pytorch_was_imported_before():
    said = run("import torch, metarl; metarl.tune_process(); metarl.tune_process()")
    assert said.count("torch is imported already") == 1
    assert "Call metarl.tune_process() before torch is imported" in said


def test_a_users_own_settings_stay():
    code = (
        NOTED + "import metarl; metarl.tune_process(); print(os.environ['GOMP_SPINCOUNT'], calls)"
    )
    assert run(code, GOMP_SPINCOUNT="7", MALLOC_MMAP_THRESHOLD_="65536") == "7 []\n"


def test_the_command_tunes_its_process_before_pytorch_comes():
    code = """
import os, sys
sys.argv = ["metarl", "--version"]
from metarl.cli import main
assert "GOMP_SPINCOUNT" not in os.environ and "torch" not in sys.modules
main()
assert os.environ["GOMP_SPINCOUNT"] == "1000" and "torch" not in sys.modules
"""
    assert run(code).startswith("metarl ")
