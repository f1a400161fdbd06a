"""The package itself: lazy exports, a fast import, threads that don't spin."""

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


def test_importing_it_leaves_pytorch_alone_and_limits_spinning_threads():
    code = """
import os, sys
os.environ.pop("GOMP_SPINCOUNT", None)
import metarl
assert "torch" not in sys.modules and "pandas" not in sys.modules
assert os.environ["GOMP_SPINCOUNT"] == "1000", "set before PyTorch starts its threads"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_users_own_setting_stays():
    code = "import os; os.environ['GOMP_SPINCOUNT'] = '7'; import metarl; assert os.environ['GOMP_SPINCOUNT'] == '7'"
    subprocess.run([sys.executable, "-c", code], check=True)
