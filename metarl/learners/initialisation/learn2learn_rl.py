"""learn2learn's MAML for policies: its clones take the inner updates that the meta-gradient goes
back through (arXiv 2008.12284).

learn2learn has no outer step for policies and plays no episodes; both are those of
`metarl.learners.initialisation.maml_rl`, whose settings this learner has, and whose meta-gradients
for the same seed.
"""

import copy
from typing import Any

import torch
from torch import Tensor

from metarl.core.supervised import Examples
from metarl.core.task_distribution import TaskDistribution
from metarl.interop.learn2learn import import_learn2learn
from metarl.learners.initialisation.inner_loop import MetaGradient, Problem
from metarl.learners.initialisation.learn2learn import learn2learn_gradient
from metarl.learners.initialisation.maml_rl import MAMLRL

__all__ = ["Learn2LearnRL"]


class Learn2LearnRL(MAMLRL):
    """Trains a policy's initial weights by learn2learn's MAML, task after task."""

    label = "learn2learn's MAML"  # as tables print it

    def __init__(
        self,
        config: Any,
        distribution: TaskDistribution,
        seed: int | tuple[int, ...] = 0,
        device: str = "cpu",
    ):
        import_learn2learn("Learn2LearnRL")  # missing, it is named before training starts
        super().__init__(config, distribution, seed, device)

    def meta_gradient(
        self, problem: Problem, initial: list[Tensor], support: list[Examples], query: Examples
    ) -> MetaGradient:
        """Around a copy of the policy with the weights `initial`."""
        policy = copy.deepcopy(problem.network.network)
        with torch.no_grad():
            for parameter, weight in zip(policy.parameters(), initial, strict=True):
                parameter.data = weight.clone()
        maml = import_learn2learn("Learn2LearnRL").algorithms.MAML(
            policy, lr=self.config.adaptation.inner_lr
        )
        return learn2learn_gradient(maml, problem.loss, support, query)
