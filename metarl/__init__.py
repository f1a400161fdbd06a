"""metarl.

Task distributions, meta-episodes, learners, exact agents and one protocol for meta-reinforcement
learning.
"""

import difflib
import importlib
from typing import Any

from metarl.interop.gymnasium_registration import register_all

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
    "tune_process": "metarl.runs.tuned_process",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that `import metarl` and `metarl --help` stay fast."""
    if name not in _EXPORTS:
        near = difflib.get_close_matches(name, _EXPORTS, 1)
        raise AttributeError(
            f"module 'metarl' has no attribute {name!r}."
            + (f" Did you mean {near[0]!r}?" if near else "")
        )
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


register_all()  # so that gymnasium.make("metarl/BernoulliBandit-v0") works after `import metarl`
