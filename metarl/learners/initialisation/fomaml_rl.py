"""First-order MAML for policies: the policy gradient after adaptation, taken as if it were the
initial weights' own.

Finn et al. 2017, section 5.2, drop MAML's second derivatives so; in TRPO's outer step the Fisher
matrix is the adapted policies' too.
"""

from torch import Tensor

from metarl.core.supervised import Examples
from metarl.learners.initialisation.fomaml import fomaml_gradient
from metarl.learners.initialisation.inner_loop import MetaGradient, Problem
from metarl.learners.initialisation.policy_initialisation import (
    PolicyInitialisation,
    PolicyInitialisationConfig,
)
from metarl.learners.optimizers import SGD

__all__ = ["FOMAMLRL"]


class FOMAMLRL(PolicyInitialisation):
    """Trains a policy's initial weights by the gradients at which inner updates end."""

    Config = PolicyInitialisationConfig
    label = "FOMAML"  # as tables print it

    def meta_gradient(
        self, problem: Problem, initial: list[Tensor], support: list[Examples], query: Examples
    ) -> MetaGradient:
        """As for supervised tasks."""
        return fomaml_gradient(
            problem, initial, support, query, SGD(self.config.adaptation.inner_lr)
        )
