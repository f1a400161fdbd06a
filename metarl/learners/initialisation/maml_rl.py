"""MAML for policies: the outer step goes down the loss after adaptation, differentiated through it
(Finn et al. 2017, section 5.3).

Second derivatives are those of the surrogate losses on the steps that each inner update learned
from. In TRPO's outer step the Fisher matrix of the adapted policies is carried back to the initial
weights in the same way, F = mean over tasks of J' F_task J, with J = d phi_task / d phi the product
of I - a H over inner steps.
"""

import torch
from torch import Tensor

from metarl.core.supervised import Examples
from metarl.learners.initialisation.inner_loop import MetaGradient, Problem, broadcast
from metarl.learners.initialisation.maml import hessian_products, inner_path, maml_gradient
from metarl.learners.initialisation.policy_initialisation import (
    Carry,
    PolicyInitialisation,
    PolicyInitialisationConfig,
)

__all__ = ["MAMLRL"]


class MAMLRL(PolicyInitialisation):
    """Trains a policy's initial weights by what they lead to, differentiated through the inner
    updates.
    """

    Config = PolicyInitialisationConfig
    label = "MAML"  # as tables print it

    def meta_gradient(
        self, problem: Problem, initial: list[Tensor], support: list[Examples], query: Examples
    ) -> MetaGradient:
        """As for supervised tasks."""
        return maml_gradient(problem, initial, support, query, self.config.adaptation.inner_lr)

    def carry(self, support: list[Examples]) -> tuple[Carry, Carry]:
        """Products with J and J', by a Hessian-vector product an inner step."""
        lr = self.config.adaptation.inner_lr
        _, path = inner_path(self.problem, broadcast(self.initial, self.config.tasks), support, lr)

        def forth(vectors: list[Tensor]) -> list[Tensor]:
            for step in path:
                vectors = list(
                    torch._foreach_add(
                        vectors, hessian_products(step, vectors, keep=True), alpha=-lr
                    )
                )
            return vectors

        def back(vectors: list[Tensor]) -> list[Tensor]:
            for step in reversed(path):
                vectors = list(
                    torch._foreach_add(
                        vectors, hessian_products(step, vectors, keep=True), alpha=-lr
                    )
                )
            return vectors

        return forth, back
