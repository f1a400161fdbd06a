"""What several tests share."""

import gymnasium
import pytest

import metarl

metarl.tune_process()  # before torch is imported

from metarl.core import lookup as entries
from metarl.learners.registry import LEARNERS


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """What a test registers with metarl goes with it, out of Gymnasium's registry too."""
    monkeypatch.setattr(entries, "_added", {group: dict(added) for group, added in entries._added.items()})
    known = set(gymnasium.registry)
    yield
    for id in [id for id in gymnasium.registry if id.startswith("metarl/") and id not in known]:
        del gymnasium.registry[id]


@pytest.fixture
def tiny(monkeypatch):
    """The learner "tiny" of tests/runs/tiny_learner.py, registered for one test; gives its config class."""
    from tests.runs.tiny_learner import TinyConfig

    monkeypatch.setitem(LEARNERS, "tiny", "tests.runs.tiny_learner:TinyLearner")
    return TinyConfig
