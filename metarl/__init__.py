"""metarl: task distributions, meta-episodes, learners, exact agents and one protocol for meta-reinforcement learning."""

import ctypes
import difflib
import importlib
import os
import sys
import warnings

# PyTorch's OpenMP threads spin while they wait, so that one competing process can slow training twentyfold. A short
# spin before sleeping costs nothing on a quiet machine. It only acts when set before torch is first imported.
if "torch" in sys.modules and "GOMP_SPINCOUNT" not in os.environ:
    warnings.warn("Import metarl before torch: training is then several times faster while other processes run.", stacklevel=2)
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from metarl.interop.gymnasium_registration import register_all


def _keep_freed_memory() -> None:
    """Have glibc keep large freed blocks rather than hand them back: fresh pages cost a rollout's buffers up to a third of the time.

    Left alone where the user has set MALLOC_TRIM_THRESHOLD_ or MALLOC_MMAP_THRESHOLD_, and on systems without glibc.
    """
    if sys.platform == "linux" and not {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"} & set(os.environ):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            trim_threshold, mmap_threshold = -1, -3  # malloc.h
            mallopt(trim_threshold, 1 << 30)
            if not mallopt(mmap_threshold, 1 << 30):  # some versions take at most 32 MiB
                mallopt(mmap_threshold, 1 << 25)


_keep_freed_memory()

__version__ = "0.1.0"

_EXPORTS = {
    "Agent": "metarl.core.agent",
    "Episodes": "metarl.core.budget",
    "GymnasiumDistribution": "metarl.envs.gymnasium_adapter",
    "MetaEpisodeEnv": "metarl.envs.meta_episode",
    "Outcome": "metarl.core.step",
    "Step": "metarl.core.step",
    "Steps": "metarl.core.budget",
    "TaskDistribution": "metarl.core.task_distribution",
    "Tasks": "metarl.core.task_distribution",
    "Transition": "metarl.core.task_distribution",
    "evaluate": "metarl.evaluation.protocol",
    "evaluate_supervised": "metarl.evaluation.supervised",
    "from_sb3": "metarl.interop.stable_baselines3",
    "load_agent": "metarl.runs.load",
    "load_learner": "metarl.runs.load",
    "make": "metarl.core.registry",
    "make_agent": "metarl.agents.registry",
    "make_learner": "metarl.learners.registry",
    "suggested_config": "metarl.runs.suggested",
    "register": "metarl.plug_ins",
    "save": "metarl.runs.training",
    "train": "metarl.runs.training",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> object:
    """Import the public names on first use, so that `import metarl` and `metarl --help` stay fast."""
    if name not in _EXPORTS:
        near = difflib.get_close_matches(name, _EXPORTS, 1)
        raise AttributeError(f"module 'metarl' has no attribute {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


register_all()  # so that gymnasium.make("metarl/BernoulliBandit-v0") works after `import metarl`
