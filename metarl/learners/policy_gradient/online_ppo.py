"""Proximal policy optimisation of single episodes (Schulman et al.

2017, arXiv 1707.06347), on one task or many side by side.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import gymnasium as gym
import torch
from torch import Generator, Tensor
from torch.utils._pytree import tree_map

from metarl.core.arguments import check_fields
from metarl.core.seeding import torch_generator
from metarl.core.spaces import observation_dtype
from metarl.core.step import Outcome, Step
from metarl.learners.data_parallel import all_gather, own_seed, rank_of, size_of
from metarl.learners.optimizer_state import load_optimizer_state, optimizer_state
from metarl.learners.policy_gradient.advantages import gae, values_after
from metarl.learners.policy_gradient.ppo import Batch, PPOConfig, ppo_update
from metarl.learners.policy_gradient.trajectory import Trajectory
from metarl.learners.policy_gradient.trajectory_buffer import empty_trajectory
from metarl.learners.settings import check_counts
from metarl.learners.transfer.online import ShapedRewards
from metarl.networks.actions import action_distribution
from metarl.networks.finite import check_output, check_weights
from metarl.networks.policies.actor_critic import ActorCritic, ActorCriticConfig

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["OnlinePPO", "OnlinePPOConfig"]

OLD_NAMES = {"promised": "final_value"}  # of a trajectory's fields in stored runs


@dataclass(frozen=True)
class OnlinePPOConfig:
    """Settings of PPO on single episodes.

    Attributes:
        rollout_steps: steps that each row plays between updates.
        reward_scale: what rewards are multiplied by before anything is learned from them.
        new_progress_only: learn from rewards as far as they take an episode's sum to a new high;
            see `ShapedRewards`.
        act: how it plays once training is over: draw from the policy, or take its most likely
            action.
        network: the shape of the policy.
        ppo: the settings of the update.
    """

    rollout_steps: int = 256
    reward_scale: float = 1.0
    new_progress_only: bool = False
    act: Literal["sample", "mode"] = "sample"
    network: ActorCriticConfig = field(default_factory=ActorCriticConfig)
    ppo: PPOConfig = field(
        default_factory=lambda: PPOConfig(
            gae_lambda=0.95, lr=5e-4, lr_end=0.0, entropy_end=0.01, value_coef=0.5
        )
    )

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts(rollout_steps=self.rollout_steps)
        if not self.reward_scale > 0:
            raise ValueError(f"reward_scale must be positive, not {self.reward_scale}.")
        if self.act not in ("sample", "mode"):
            raise ValueError(f"act must be 'sample' or 'mode', not {self.act!r}.")


class OnlinePPO:
    """Plays `rows` rows and improves its policy whenever each has played `rollout_steps`.

    Args:
        config: settings.
        observation_space, action_space: of one task.
        rows: B, played side by side; usually 1 where it fine-tunes.
        seed: names its random streams.
        device: "cpu" or "cuda".
        rank: the part of the rows that is played here, where several ranks learn together.

    Attributes:
        group: those ranks' process group.

    Raises:
        ValueError: fewer steps between updates than minibatches, or spaces that a policy can't read
            or act in.
    """

    def __init__(
        self,
        config: OnlinePPOConfig,
        observation_space: gym.Space,
        action_space: gym.Space,
        rows: int,
        seed: int,
        device: str = "cpu",
        rank: int = 0,
    ):
        if config.rollout_steps * rows < config.ppo.minibatches:
            raise ValueError(
                f"{config.rollout_steps} x {rows} steps between updates can't make"
                f" {config.ppo.minibatches} minibatches."
            )
        self.config = config
        self.rows = rows
        self.device = torch.device(device)
        self.observation_space = observation_space
        self.action_space = action_space
        self.actions = action_distribution(action_space)
        self.policy = ActorCritic(
            observation_space, action_space, config.network, torch_generator(seed, "ppo", "weights")
        ).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.policy.parameters(),
            config.ppo.lr,
            eps=config.ppo.adam_epsilon,
            weight_decay=config.ppo.weight_decay,
            fused=True,
        )
        self.group: ProcessGroup | None = None
        self.action_rng = torch_generator(
            own_seed(seed, rank), "ppo", "actions", device=self.device
        )
        # the same in all ranks
        self.batch_rng = torch_generator(seed, "ppo", "minibatches", device=self.device)
        self.shaped = ShapedRewards(
            rows, config.reward_scale, config.new_progress_only, self.device
        )
        # waiting: actions are chosen whose outcome isn't known yet
        self.progress = 0.0
        self.t = 0
        self.waiting = False
        self._measured: list[dict[str, float]] = []
        self._trajectory = self._empty()

    def _empty(self) -> Trajectory:
        """Return room for the steps until the next update, all of which count."""
        shape, dtype = self.observation_space.shape or (), observation_dtype(self.observation_space)
        grid = (self.config.rollout_steps, self.rows)
        empty = empty_trajectory(grid, shape, dtype, self.action_space, self.device)
        return empty._replace(
            valid=torch.ones_like(empty.valid),
            truncated=torch.zeros_like(empty.terminated),
            value=torch.zeros_like(empty.reward),
            final_value=torch.zeros_like(empty.reward),
        )

    @torch.no_grad()
    def choose(self, step: Step) -> Tensor:
        """Draw actions, and note what they are drawn on."""
        self.shaped.begin(step.episode_start)
        output = self.policy(step.observation)
        check_output("The policy of joint PPO", output.parameters, output.value)
        action = self.actions.sample(output.parameters, self.action_rng)
        played = self._trajectory
        t = self.t
        assert played.value is not None
        played.observation[t] = step.observation
        played.action[t] = action
        played.value[t] = output.value
        played.log_prob[t] = self.actions.log_prob(output.parameters, action)
        self.waiting = True
        return self.actions.to_environment(action)

    @torch.no_grad()
    def play(self, step: Step, rng: Generator) -> Tensor:
        """Actions of the policy as it is."""
        parameters = self.policy(step.observation).parameters
        check_output("The policy of joint PPO", parameters)
        action = (
            self.actions.mode(parameters)
            if self.config.act == "mode"
            else self.actions.sample(parameters, rng)
        )
        return self.actions.to_environment(action)

    def learn(self, step: Step, outcome: Outcome | None = None) -> None:
        """Note what the last actions brought; after `rollout_steps`, improve the policy."""
        if not self.waiting:
            return
        if outcome is None:
            reward = step.prev_reward
            terminated = step.prev_terminated
            truncated = step.prev_truncated
            final = step.final_observation
        else:
            reward, terminated, truncated, final = outcome[:4]
        played = self._trajectory
        t = self.t
        assert played.truncated is not None
        assert played.final_value is not None
        played.reward[t] = self.shaped(reward)
        played.terminated[t] = terminated
        played.truncated[t] = truncated
        if bool(truncated.any()):
            with torch.no_grad():
                played.final_value[t, truncated] = self.policy(final[truncated]).value
        self.t = t + 1
        self.waiting = False
        if self.t == self.config.rollout_steps:
            self.improve(step.observation)
            self.t = 0
            played.final_value.zero_()

    def improve(self, observation: Tensor) -> None:
        """One update on the rollout; `observation` [B, *obs] is what follows it."""
        played = self._trajectory
        ppo = self.config.ppo
        assert played.value is not None
        assert played.truncated is not None
        assert played.final_value is not None
        with torch.no_grad():
            carry = ~(played.terminated | played.truncated)
            next_value = values_after(
                played.value, carry, self.policy(observation).value, played.final_value
            )
            advantage = gae(
                played.reward, played.value, next_value, carry, ppo.discount, ppo.gae_lambda
            )
            target = advantage + played.value
            (everywhere,) = all_gather(self.group, [advantage], 1)
            advantage = (advantage - everywhere.mean()) / (everywhere.std(correction=0) + 1e-8)
        batch = Batch(
            played.observation, played.action, played.log_prob, advantage, target, played.valid
        )
        # Without memory, every step stands for itself
        side_by_side = tree_map(lambda part: part.flatten(0, 1)[None], batch)
        metrics = ppo_update(
            self.policy,
            self.optimizer,
            self.actions,
            side_by_side,
            ppo,
            self.progress,
            1,
            self.batch_rng,
            self.group,
            self._held(),
        )
        self._measured.append({name: float(value) for name, value in metrics._asdict().items()})
        if self.policy.inputs.normalises:
            self._learn_moments(played.observation.flatten(0, 1))

    def _held(self) -> Tensor | None:
        """Return the numbers of the steps that were played here, among those of all ranks."""
        if size_of(self.group) == 1:
            return None
        grid = torch.arange(self.config.rollout_steps * self.rows * size_of(self.group)).unflatten(
            0, (self.config.rollout_steps, -1)
        )
        return grid[:, rank_of(self.group) * self.rows :][:, : self.rows].flatten()

    def _learn_moments(self, observations: Tensor) -> None:
        """Take what all ranks saw [n, *obs] into the moments of observations, one rank after the
        other.
        """
        seen = observations.to(torch.float32)
        for mean, variance in zip(
            *all_gather(self.group, [seen.mean(0)[None], seen.var(0, unbiased=False)[None]]),
            strict=True,
        ):
            self.policy.inputs.observation_moments.merge(len(seen), mean, variance)

    def metrics(self) -> dict[str, float]:
        """Means over the updates since the last call.

        Losses, entropy, divergence, share of clipped ratios, gradient norm.
        """
        measured = self._measured
        self._measured = []
        return {
            name: sum(each[name] for each in measured) / len(measured)
            for name in (measured[0] if measured else ())
        }

    def weights(self) -> dict[str, Any]:
        """Return the policy."""
        return {
            "policy": {name: tensor.clone() for name, tensor in self.policy.state_dict().items()}
        }

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over a policy."""
        check_weights(weights["policy"])
        self.policy.load_state_dict(weights["policy"])

    def state_dict(self) -> dict[str, Any]:
        """Policy, optimiser, streams, and the rollout as far as it is played."""
        streams = {
            "actions": self.action_rng.get_state(),
            "minibatches": self.batch_rng.get_state(),
        }
        parts = self._trajectory._asdict()
        played = {name: part[: self.t].clone() for name, part in parts.items() if part is not None}
        rest = {
            "optimizer": optimizer_state(self.optimizer),
            "streams": streams,
            "shaped": self.shaped.state_dict(),
        }
        return {**self.weights(), **rest, "trajectory": played, "t": self.t}

    def own_state(self) -> dict[str, Any]:
        """Return what belongs to the rows that are played here, between updates."""
        return {"actions": self.action_rng.get_state(), "shaped": self.shaped.state_dict()}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Go on with those."""
        self.action_rng.set_state(state["actions"].cpu())
        self.shaped.load_state_dict(state["shaped"])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`; rows whose actions were still without outcome choose again."""
        self.load_weights(state)
        load_optimizer_state(self.optimizer, state["optimizer"])
        self.action_rng.set_state(state["streams"]["actions"].cpu())
        self.batch_rng.set_state(state["streams"]["minibatches"].cpu())
        self.shaped.load_state_dict(state["shaped"])
        self.t = int(state["t"])
        self.waiting = False
        # earlier versions had other names for it
        stored = state["trajectory"] if "trajectory" in state else state["played"]
        for name, part in stored.items():
            getattr(self._trajectory, OLD_NAMES.get(name, name))[: self.t] = part.to(self.device)
