"""Joint Rainbow: Rainbow on all training tasks at once, fine-tuned by itself on a test task.

Nichol et al. 2018 (arXiv 1804.03720, sections 4.2 and 4.5); fine-tuning is Rainbow again, on one
row, from the joint weights.
"""

from dataclasses import dataclass, field
from typing import Literal

from metarl.core.arguments import check_fields
from metarl.learners.transfer.joint import JointTraining, check_joint_settings
from metarl.learners.transfer.rainbow import Rainbow, RainbowConfig

__all__ = ["JointRainbow", "JointRainbowConfig"]


@dataclass(frozen=True)
class JointRainbowConfig:
    """Settings of joint training by Rainbow, and of fine-tuning.

    Attributes:
        num_envs: rows that play side by side, each with an equal part of the replay.
        steps: steps that each of them plays in an iteration.
        iterations: of training.
        assignment: "draw" gives each episode a task of its own; "fixed" leaves a row with one task,
            as many rows for each as go round.
        rainbow: the settings of the algorithm on all tasks.
        fine_tuning: ... and in one task, from the same network on.
        learn_at_test: the agent learns on in each task within a budget of "steps" alone, or
            "always", within one of episodes too.
    """

    num_envs: int = 32
    steps: int = 256
    iterations: int = 250
    assignment: Literal["draw", "fixed"] = "draw"
    rainbow: RainbowConfig = field(default_factory=RainbowConfig)
    fine_tuning: RainbowConfig = field(default_factory=RainbowConfig)
    learn_at_test: Literal["steps", "always"] = "steps"

    def __post_init__(self) -> None:
        check_fields(self)
        check_joint_settings(self)
        if self.fine_tuning.network != self.rainbow.network:
            raise ValueError(
                "Fine-tuning goes on with the joint network, so give fine_tuning and rainbow the"
                " same network."
            )


class JointRainbow(JointTraining):
    """Trains one network on all tasks by Rainbow; its agent goes on by Rainbow in each task."""

    Config = JointRainbowConfig
    label = "Joint Rainbow"  # as tables print it

    def new_online(self, rows: int, seed: int, alone: bool) -> Rainbow:
        """Rainbow on `rows` rows."""
        config = self.config.fine_tuning if alone else self.config.rainbow
        return Rainbow(
            config,
            self.distribution.observation_space,
            self.distribution.action_space,
            rows,
            seed,
            self.device,
        )
