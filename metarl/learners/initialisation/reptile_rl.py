"""Reptile for policies: the initial weights follow those that each task's inner updates end at
(Nichol et al. 2018).

Nichol et al. report negative preliminary results in reinforcement learning; this is here to be
compared with. Its meta-gradient is no loss's, so TRPO's outer step asks only that policies after
adaptation diverge no further than allowed.
"""

from dataclasses import dataclass

from torch import Tensor

from metarl.core.supervised import Examples
from metarl.learners.initialisation.inner_loop import MetaGradient, Problem
from metarl.learners.initialisation.policy_initialisation import (
    PolicyInitialisation,
    PolicyInitialisationConfig,
)
from metarl.learners.initialisation.reptile import reptile_gradient
from metarl.learners.optimizers import SGD

__all__ = ["ReptileRL", "ReptileRLConfig"]


@dataclass(frozen=True)
class ReptileRLConfig(PolicyInitialisationConfig):
    """Settings of Reptile for policies.

    Attributes:
        inner_steps: k, updates of the policy in each task; 1 is joint training by gradient descent.
    """

    inner_steps: int = 3


class ReptileRL(PolicyInitialisation):
    """Trains a policy's initial weights by following inner updates to where they end."""

    Config = ReptileRLConfig
    label = "Reptile"  # as tables print it

    @property
    def descends(self) -> bool:
        """The way that inner updates went isn't the gradient of a loss."""
        return False

    def meta_gradient(
        self, problem: Problem, initial: list[Tensor], support: list[Examples], query: Examples
    ) -> MetaGradient:
        """From the steps that inner updates learned from alone."""
        return reptile_gradient(problem, initial, support, SGD(self.config.adaptation.inner_lr))
