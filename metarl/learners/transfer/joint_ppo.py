"""Joint PPO: proximal policy optimisation on all training tasks at once, fine-tuned by itself on a test task.

Nichol et al. 2018 (arXiv 1804.03720, sections 4.4 and 4.5); fine-tuning is PPO again, on one row, from the joint weights.
"""

from dataclasses import dataclass, field
from typing import Literal

from metarl.core.arguments import check_fields
from metarl.learners.policy_gradient.online_ppo import OnlinePPO, OnlinePPOConfig
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.transfer.joint import JointTraining, check_joint_settings
from metarl.networks.policies.actor_critic import ActorCriticConfig

__all__ = ["JointPPO", "JointPPOConfig"]


@dataclass(frozen=True)
class JointPPOConfig:
    """Settings of joint training by PPO, and of fine-tuning.

    Attributes:
        num_envs: rows that play side by side.
        steps: steps that each of them plays between updates; an iteration is one update.
        iterations: of training.
        assignment: "draw" gives each episode a task of its own; "fixed" leaves a row with one task, as many rows for each as go round.
        act: how the agent plays without learning: draw from the policy, or take its most likely action. It always draws as it learns.
        reward_scale: what rewards are multiplied by before anything is learned from them.
        new_progress_only: learn from rewards as far as they take an episode's sum to a new high; see `ShapedRewards`.
        network: the shape of the policy.
        ppo: the settings of an update.
        fine_tuning_steps: steps between updates at test, where one row plays.
        fine_tuning: the settings of an update at test; nothing is annealed there, since a task has no end of its own.
    """

    num_envs: int = 32
    steps: int = 256
    iterations: int = 250
    assignment: Literal["draw", "fixed"] = "draw"
    act: Literal["sample", "mode"] = "sample"
    reward_scale: float = 1.0
    new_progress_only: bool = False
    network: ActorCriticConfig = field(default_factory=ActorCriticConfig)
    ppo: PPOConfig = field(
        default_factory=lambda: PPOConfig(
            discount=0.999, gae_lambda=0.95, epochs=3, minibatches=8, lr=5e-4, lr_end=0.0, entropy_end=0.01, value_coef=0.5
        )
    )
    fine_tuning_steps: int = 2048
    fine_tuning: PPOConfig = field(
        default_factory=lambda: PPOConfig(
            discount=0.999, gae_lambda=0.95, epochs=3, minibatches=8, lr=2.5e-4, lr_end=2.5e-4, entropy_end=0.01, value_coef=0.5
        )
    )

    def __post_init__(self) -> None:
        check_fields(self)
        check_joint_settings(self)
        self.online(alone=True)

    def online(self, alone: bool) -> OnlinePPOConfig:
        """The settings of the algorithm on all tasks, or `alone` in one."""
        steps, ppo = (self.fine_tuning_steps, self.fine_tuning) if alone else (self.steps, self.ppo)
        return OnlinePPOConfig(steps, self.reward_scale, self.new_progress_only, self.act, self.network, ppo)


class JointPPO(JointTraining):
    """Trains one policy on all tasks by PPO; its agent goes on by PPO in each task."""

    Config = JointPPOConfig
    label = "Joint PPO"  # as tables print it

    def new_online(self, rows: int, seed: int, alone: bool) -> OnlinePPO:
        """PPO on `rows` rows."""
        return OnlinePPO(
            self.config.online(alone), self.distribution.observation_space, self.distribution.action_space, rows, seed, self.device
        )
