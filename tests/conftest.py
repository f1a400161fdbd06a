"""What several tests share."""

import gymnasium
import pytest

import metarl

metarl.tune_process()  # before torch is imported

from metarl.core import lookup as entries
from metarl.learners.registry import LEARNERS

# What takes longest begins first, so that no process is left with it when the others are done.
LONG = (
    "tests/test_conformance.py",
    "tests/notebooks/",
    "tests/benchmarks/",
    "tests/interop/",
    "tests/test_pairs.py",
    "tests/test_new_packages.py",
)


def pytest_collection_modifyitems(items):
    """Put LONG's tests first, in its order; those of a file stay together."""
    items.sort(
        key=lambda item: next(
            (place for place, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG)
        )
    )


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """What a test registers with metarl goes with it, out of Gymnasium's registry too."""
    monkeypatch.setattr(
        entries, "_added", {group: dict(added) for group, added in entries._added.items()}
    )
    known = set(gymnasium.registry)
    yield
    for id in [id for id in gymnasium.registry if id.startswith("metarl/") and id not in known]:
        del gymnasium.registry[id]


@pytest.fixture
def tiny(monkeypatch):
    """The learner "tiny" of tests/runs/tiny_learner.py, registered for one test.

    Gives its config class.
    """
    from tests.runs.tiny_learner import TinyConfig

    monkeypatch.setitem(LEARNERS, "tiny", "tests.runs.tiny_learner:TinyLearner")
    return TinyConfig
