"""Joint PPO: proximal policy optimisation on all training tasks at once, fine-tuned by itself on a
test task.

Nichol et al. 2018 (arXiv 1804.03720, sections 4.4 and 4.5); fine-tuning is PPO again, on one row,
from the joint weights.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from metarl.core.arguments import check_fields
from metarl.core.learner import Metrics
from metarl.core.task_distribution import TaskDistribution
from metarl.learners.data_parallel import Ranks
from metarl.learners.policy_gradient.online_ppo import OnlinePPO, OnlinePPOConfig
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.settings import check_counts, settled
from metarl.learners.transfer.joint import JointTraining, check_joint_settings
from metarl.networks.policies.actor_critic import ActorCriticConfig

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["JointPPO", "JointPPOConfig"]


@dataclass(frozen=True)
class JointPPOConfig:
    """Settings of joint training by PPO, and of fine-tuning.

    Attributes:
        num_envs: rows that play side by side.
        steps: steps that each of them plays between updates; an iteration is one update.
        iterations: of training.
        processes: processor cores to spread rows and updates over; results depend on their number,
            as on a seed.
        assignment: "draw" gives each episode a task of its own; "fixed" leaves a row with one task,
            as many rows for each as go round.
        act: how the agent plays without learning: draw from the policy, or take its most likely
            action. It always draws as it learns.
        reward_scale: what rewards are multiplied by before anything is learned from them.
        new_progress_only: learn from rewards as far as they take an episode's sum to a new high;
            see `ShapedRewards`.
        network: the shape of the policy.
        ppo: the settings of an update.
        fine_tuning_steps: steps between updates at test, where one row plays.
        fine_tuning: the settings of an update at test; nothing is annealed there, since a task has
            no end of its own.
        learn_at_test: the agent learns on in each task within a budget of "steps" alone, or
            "always", within one of episodes too.
    """

    num_envs: int = 32
    steps: int = 256
    iterations: int = 250
    processes: int = 1
    assignment: Literal["draw", "fixed"] = "draw"
    act: Literal["sample", "mode"] = "sample"
    reward_scale: float = 1.0
    new_progress_only: bool = False
    network: ActorCriticConfig = field(default_factory=ActorCriticConfig)
    ppo: PPOConfig = field(
        default_factory=lambda: PPOConfig(
            discount=0.999,
            gae_lambda=0.95,
            epochs=3,
            minibatches=8,
            lr=5e-4,
            lr_end=0.0,
            entropy_end=0.01,
            value_coef=0.5,
        )
    )
    fine_tuning_steps: int = 2048
    fine_tuning: PPOConfig = field(
        default_factory=lambda: PPOConfig(
            discount=0.999,
            gae_lambda=0.95,
            epochs=3,
            minibatches=8,
            lr=2.5e-4,
            lr_end=2.5e-4,
            entropy_end=0.01,
            value_coef=0.5,
        )
    )
    learn_at_test: Literal["steps", "always"] = "steps"

    def __post_init__(self) -> None:
        check_fields(self)
        check_joint_settings(self)
        check_counts(processes=self.processes)
        if self.num_envs % self.processes:
            raise ValueError(
                f"num_envs ({self.num_envs}) must be a multiple of processes ({self.processes})."
            )
        self.online(alone=True)

    def online(self, alone: bool) -> OnlinePPOConfig:
        """Return the settings of the algorithm on all tasks, or `alone` in one."""
        steps, ppo = (self.fine_tuning_steps, self.fine_tuning) if alone else (self.steps, self.ppo)
        return OnlinePPOConfig(
            steps, self.reward_scale, self.new_progress_only, self.act, self.network, ppo
        )


class JointPPO(JointTraining):
    """Trains one policy on all tasks by PPO; its agent goes on by PPO in each task.

    Args:
        config, distribution, seed, device: as of `JointTraining`.
        group: the process group, in a program whose ranks all make the same learner; where none is
            given, `config.processes` are joined if a launcher such as torchrun started them, and
            else started by the first update.
    """

    Config = JointPPOConfig
    label = "Joint PPO"  # as tables print it

    def __init__(
        self,
        config: JointPPOConfig,
        distribution: TaskDistribution | str,
        seed: int | tuple[int, ...] = 0,
        device: str = "cpu",
        group: "ProcessGroup | None" = None,
    ):
        distribution = settled(type(self), config, distribution)
        ranks = Ranks(
            config.processes, device, partial(JointPPO, config, distribution, seed, device), group
        )
        super().__init__(config, distribution, seed, device, ranks)

    def new_online(self, rows: int, seed: int, alone: bool) -> OnlinePPO:
        """Return PPO on `rows` rows."""
        observation_space = self.distribution.observation_space
        action_space = self.distribution.action_space
        rank = 0 if alone else self.ranks.rank
        return OnlinePPO(
            self.config.online(alone),
            observation_space,
            action_space,
            rows,
            seed,
            self.device,
            rank,
        )

    def play_and_improve(self) -> Metrics:
        """Do this rank's part of an update."""
        self.online.group = self.ranks.group
        return super().play_and_improve()
