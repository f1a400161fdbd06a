"""What several tests share."""

import pytest

from metarl.learners.registry import LEARNERS


@pytest.fixture
def tiny(monkeypatch):
    """The learner "tiny" of tests/experiments/tiny_learner.py, registered for one test; gives its config class."""
    from tests.experiments.tiny_learner import TinyConfig

    monkeypatch.setitem(LEARNERS, "tiny", "tests.experiments.tiny_learner:TinyLearner")
    return TinyConfig
