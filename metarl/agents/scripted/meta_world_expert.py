"""Meta-World's scripted policies, which are shown the goal.

What an agent can reach that needn't find out the task.
"""

import warnings
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.metaworld.meta_world import MetaWorldML1

__all__ = ["ScriptedExpert"]


class ScriptedExpert:
    """Plays ML1 with `goal_visible=True`, by the policy that Meta-World has for the task.

    It is no bound: another may score more.
    """

    id = "scripted-expert"
    label = "Scripted expert (shown the goal)"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget):
        if not isinstance(distribution, MetaWorldML1) or not self.supports(distribution):
            raise ValueError(
                "The scripted expert plays MetaWorldML1-v0 with goal_visible=True, so that it sees"
                f" where to go; not {distribution!r}."
            )
        self.made_for = MadeFor(distribution, budget)
        from metaworld.policies import ENV_POLICY_MAP

        scripts: Any = ENV_POLICY_MAP  # by name of the task
        self.policy = scripts[distribution.task]()

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`.

        One task of Meta-World, its goal shown.
        """
        return isinstance(distribution, MetaWorldML1) and distribution.goal_visible

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing: every observation tells all."""
        return ()

    def act(self, step: Step, state: Any, rng: Generator) -> tuple[Tensor, Any]:
        """Return what the script says, row by row, within the action's bounds."""
        with warnings.catch_warnings():  # its actions are clipped, as it warns
            warnings.simplefilter("ignore")
            actions = [
                self.policy.get_action(row)
                for row in step.observation.cpu().numpy().astype(np.float64)
            ]
        return (
            torch.from_numpy(np.stack(actions).astype(np.float32))
            .clamp(-1, 1)
            .to(step.observation.device),
            state,
        )
