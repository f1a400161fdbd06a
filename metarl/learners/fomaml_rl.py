"""First-order MAML for policies: the policy gradient after adaptation, taken as if it were the initial weights' own.

Finn et al. 2017, section 5.2, drop MAML's second derivatives so; in TRPO's outer step the Fisher matrix is the adapted policies' too.
"""

from dataclasses import dataclass, field

from torch import Tensor

from metarl.learners.adapting_policy import Adaptation
from metarl.learners.fomaml import fomaml_gradient
from metarl.learners.initialisation import MetaGradient
from metarl.learners.inner_loop import Problem
from metarl.learners.optimizers import SGD
from metarl.learners.policy_initialisation import ClippedPPO, PolicyInitialisation, check_policy_settings
from metarl.learners.trust_region import TRPO
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.supervised import Examples

__all__ = ["FOMAMLRL", "FOMAMLRLConfig"]


@dataclass(frozen=True)
class FOMAMLRLConfig:
    """Settings of first-order MAML for policies.

    Attributes:
        iterations: outer steps.
        tasks: tasks in an outer step, played side by side.
        inner_steps: K, updates of the policy in each task.
        adaptation: an inner update, in training as at test.
        outer: how the initial weights are moved.
        network: the shape of the policy.
    """

    iterations: int = 200
    tasks: int = 20
    inner_steps: int = 1
    adaptation: Adaptation = field(default_factory=Adaptation)
    outer: TRPO | ClippedPPO = field(default_factory=TRPO)
    network: PerceptronConfig = field(default_factory=PerceptronConfig)

    def __post_init__(self) -> None:
        check_policy_settings(self, inner_steps=self.inner_steps)


class FOMAMLRL(PolicyInitialisation):
    """Trains a policy's initial weights by the gradients at which inner updates end."""

    Config = FOMAMLRLConfig
    label = "FOMAML"  # as tables print it

    def meta_gradient(self, problem: Problem, initial: list[Tensor], support: list[Examples], query: Examples) -> MetaGradient:
        """As for supervised tasks."""
        return fomaml_gradient(problem, initial, support, query, SGD(self.config.adaptation.inner_lr))
