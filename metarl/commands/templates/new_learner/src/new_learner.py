"""A recurrent policy trained by the plain policy gradient (Williams 1992), over meta-episodes.

The policy plays K episodes in one task and remembers throughout, as in RL² (Duan et al. 2016). An
action's weight is what the rest of the meta-episode paid, less what it paid on average in the tasks
that were played side by side.
"""

import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from metarl.core.agent import MadeFor
from metarl.core.arguments import check_device, check_fields
from metarl.core.budget import Budget, Episodes, max_steps
from metarl.core.learner import Metrics
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.memory.rl2 import RL2Agent
from metarl.learners.optimizer_state import load_optimizer_state, optimizer_state
from metarl.learners.policy_gradient.advantages import discounted_returns
from metarl.learners.policy_gradient.trajectory import Trajectory, collect
from metarl.learners.settings import check_counts, check_step_sizes, described, only_seed, settled
from metarl.networks.actions import action_distribution
from metarl.networks.finite import check_update
from metarl.networks.policies.policy import NetworkConfig, Policy
from torch import Tensor
from torch.utils._pytree import tree_map

__all__ = ["NewLearner", "NewLearnerConfig"]


@dataclass(frozen=True)
class NewLearnerConfig:
    """Settings of the learner; each is a flag of `metarl train new-learner`.

    Attributes:
        episodes: K, episodes in a meta-episode.
        num_envs: tasks played side by side in an iteration.
        iterations: outer-loop iterations.
        hidden_size: size of the policy's memory.
        lr: step size of Adam.
    """

    episodes: int = 10
    num_envs: int = 256
    iterations: int = 200
    hidden_size: int = 32
    lr: float = 0.01

    def __post_init__(self) -> None:
        check_fields(self)
        check_counts(
            episodes=self.episodes,
            num_envs=self.num_envs,
            iterations=self.iterations,
            hidden_size=self.hidden_size,
        )
        check_step_sizes(lr=self.lr)


class NewLearner:
    """Meta-trains a policy with memory by its gradient.

    Args:
        config: settings.
        distribution: where training tasks come from (split `train` only), or its id.
        seed: names every random stream.
        device: "cpu" or "cuda", environments included.
    """

    Config = NewLearnerConfig
    label = "NewLearner"  # as tables print it

    def __init__(
        self,
        config: NewLearnerConfig,
        distribution: TaskDistribution | str,
        seed: int | tuple[int, ...] = 0,
        device: str = "cpu",
    ):
        check_device(device)
        self.config = config
        self.distribution = settled(type(self), config, distribution)
        self.seeds = (only_seed("new-learner", seed),)
        self.device = torch.device(device)
        self.budget = Episodes(config.episodes)
        self.actions = action_distribution(self.distribution.action_space)
        self.policy = Policy(
            self.distribution.observation_space,
            self.distribution.action_space,
            NetworkConfig(hidden_size=config.hidden_size),
            max_steps(self.budget, self.distribution),
            torch_generator(self.seeds[0], "weights"),
        ).to(self.device)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), config.lr)
        self.task_seed = derive_seed(self.seeds[0], "tasks")
        self.env_rng = torch_generator(self.seeds[0], "environment", device=self.device)
        self.action_rng = torch_generator(self.seeds[0], "actions", device=self.device)
        self.iteration = 0
        self.steps = 0

    @cached_property
    def env(self) -> MetaEpisodeEnv:
        """The training rows; opened by the first update, since acting needs none."""
        return MetaEpisodeEnv(
            self.distribution, self.budget, self.config.num_envs, self.env_rng, refill=False
        )

    def __repr__(self) -> str:
        return described(self)

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""
        return self.iteration >= self.config.iterations

    def update(self) -> Metrics:
        """Play one meta-episode in every row, and follow the gradient of what they paid."""
        tasks = fresh_tasks(
            self.distribution,
            "train",
            self.config.num_envs,
            self.task_seed,
            first=self.iteration,
        )
        played = collect(self.env, self.policy, self.actions, tasks, self.action_rng)
        assert played.steps is not None, "`collect` keeps what the policy saw"
        self.optimizer.zero_grad()
        self.loss(played, played.steps).backward()
        self.optimizer.step()
        # After the update, so that acting and training read the same numbers
        self.policy.learn_moments(played.steps, played.valid)
        self.iteration += 1
        self.steps += int(played.valid.sum())
        metrics = {
            "iteration": float(self.iteration),
            "steps": float(self.steps),
            "return": float(played.reward.sum(0).mean()),
        }
        check_update(self.iteration, metrics, self.policy.state_dict().values())
        return metrics

    def loss(self, played: Trajectory, steps: Step) -> Tensor:
        """Return minus the log-probability of the actions, weighed by what followed them.

        Ends of episodes don't cut what followed: later episodes are of the same task.
        """
        to_go = discounted_returns(played.reward, played.valid, discount=1.0)  # [T, B]
        advantage = to_go - to_go.mean(1, keepdim=True)
        advantage = advantage / (advantage.square().mean().sqrt() + 1e-8)
        parameters = self.policy.sequence(steps).parameters
        log_prob = self.actions.log_prob(parameters, played.action)
        return -(played.valid * advantage * log_prob).sum() / played.valid.sum()

    def agent(self, budget: Budget, seed_index: int = 0) -> RL2Agent:
        """Return the agent trained so far, with weights of its own."""
        made_for = MadeFor(self.distribution, budget, tasks="spaces")
        return RL2Agent(copy.deepcopy(self.policy).eval(), "mode", made_for)

    def weights(self, seed_index: int = 0) -> dict[str, Any]:
        """Return all that acting needs."""
        return {"policy": dict(self.policy.state_dict())}

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over a policy, for acting or as a start."""
        self.policy.load_state_dict(weights["policy"])

    def state_dict(self) -> dict[str, Any]:
        """Return everything that `update` depends on, as copies."""
        tensors = {
            **self.weights(),
            "optimizer": optimizer_state(self.optimizer),
            "env_rng": self.env_rng.get_state(),
            "action_rng": self.action_rng.get_state(),
        }
        return {
            **tree_map(torch.clone, tensors),
            "iteration": self.iteration,
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`, bit for bit."""
        self.load_weights(state)
        load_optimizer_state(self.optimizer, state["optimizer"])
        self.env_rng.set_state(state["env_rng"].cpu())
        self.action_rng.set_state(state["action_rng"].cpu())
        self.iteration = int(state["iteration"])
        self.steps = int(state["steps"])

    def close(self) -> None:
        """Release the environments' workers; a further update starts them again."""
        if "env" in self.__dict__:
            self.__dict__.pop("env").close()
