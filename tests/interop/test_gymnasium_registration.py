"""Gymnasium knows every registered distribution as soon as metarl is imported."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium as gym

from metarl.core.registry import distribution_ids
from metarl.interop import gymnasium_registration as registration
from metarl.interop.gymnasium_registration import register_all

ROOT = Path(__file__).parents[2]


def test_importing_metarl_registers_everything_and_leaves_pytorch_alone():
    """Plainly, and by the name of the module in the id."""
    script = """
import sys, gymnasium
try:
    gymnasium.make("metarl:metarl/None-v0")
except gymnasium.error.NameNotFound:  # the namespace is known now
    pass
import metarl
gymnasium.register_envs(metarl)
assert "torch" not in sys.modules
print(*sorted(name for name in gymnasium.registry if name.startswith("metarl/")))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"metarl/{id}" for id in distribution_ids()]


def test_registering_twice_keeps_what_is_there():
    before = dict(gym.registry)
    register_all()
    assert dict(gym.registry) == before


def test_an_id_that_gymnasium_refuses_is_warned_of_and_stops_nothing(monkeypatch):
    warned = []
    monkeypatch.setattr(registration, "distribution_ids", lambda: ["not an id!", "Fresh-v0"])
    monkeypatch.setattr(registration.gym.logger, "warn", warned.append)
    try:
        register_all()
        assert "metarl/Fresh-v0" in gym.registry
    finally:
        gym.registry.pop("metarl/Fresh-v0", None)
    assert len(warned) == 1
    assert "'not an id!' can't be registered" in warned[0]
