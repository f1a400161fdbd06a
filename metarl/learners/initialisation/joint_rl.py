"""Joint training of one policy on all tasks, which then adapts like any other: the control for
initialisation learners.

Nothing is adapted in training, so the policy learns what is best on average over tasks
("pretraining" in Finn et al. 2017, section 5).
"""

from dataclasses import dataclass, field

from torch import Tensor

from metarl.core.arguments import check_fields
from metarl.core.supervised import Examples
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.inner_loop import (
    MetaGradient,
    Problem,
    broadcast,
    task_gradients,
)
from metarl.learners.initialisation.policy_initialisation import ClippedPPO, PolicyInitialisation
from metarl.learners.policy_gradient.trust_region import TRPO
from metarl.learners.settings import check_counts
from metarl.networks.perceptron import PerceptronConfig

__all__ = ["JointRL", "JointRLConfig"]


@dataclass(frozen=True)
class JointRLConfig:
    """Settings of joint training with fine-tuning.

    Attributes:
        iterations: steps of training.
        tasks: tasks in each of them, played side by side.
        adaptation: an update at test; the number of episodes in a task, also in training.
        outer: how the weights are moved in training.
        network: the shape of the policy.
    """

    iterations: int = 200
    tasks: int = 20
    adaptation: Adaptation = field(default_factory=Adaptation)
    outer: TRPO | ClippedPPO = field(default_factory=TRPO)
    network: PerceptronConfig = field(default_factory=PerceptronConfig)

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts(iterations=self.iterations, tasks=self.tasks)


class JointRL(PolicyInitialisation):
    """Trains one policy on all tasks at once; its agent fine-tunes it by policy gradients."""

    Config = JointRLConfig
    label = "Joint training, fine-tuned"  # as tables print it

    @property
    def inner_steps(self) -> int:
        """Nothing is adapted in training."""
        return 0

    def meta_gradient(
        self, problem: Problem, initial: list[Tensor], support: list[Examples], query: Examples
    ) -> MetaGradient:
        """Return the mean policy gradient."""
        found = task_gradients(problem, broadcast(initial, self.config.tasks), query)
        return MetaGradient([gradient.mean(0) for gradient in found.gradients], found.loss[None])
