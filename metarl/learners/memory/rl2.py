"""RL²: a recurrent policy whose hidden state does the learning (Duan et al. 2016, arXiv 1611.02779;
Wang et al. 2016, arXiv 1611.05763).

A policy with memory plays whole meta-episodes: K episodes in one task, memory kept throughout. It
is trained by PPO to maximise the discounted sum of rewards of the whole meta-episode, so an
episode's end never cuts the return, and after episode K the value is 0.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Generator, Tensor, nn
from torch.utils._pytree import tree_map

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.arguments import check_device, check_fields, check_seed
from metarl.core.budget import Budget, Episodes, Steps, as_budget, max_steps
from metarl.core.learner import Metrics
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.data_parallel import Ranks, own_seed
from metarl.learners.optimizer_state import load_optimizer_state, optimizer_state
from metarl.learners.policy_gradient.advantages import (
    discounted_returns,
    gae,
    normalised,
    values_after,
)
from metarl.learners.policy_gradient.ppo import Batch, PPOConfig, ppo_update
from metarl.learners.policy_gradient.trajectory import Trajectory, all_gather_trajectory, collect
from metarl.learners.settings import described, settled
from metarl.networks.actions import action_distribution
from metarl.networks.finite import check_output, check_update, check_weights
from metarl.networks.kernels.matmul_precision import fast_matmul
from metarl.networks.normalisation import ReturnNormaliser
from metarl.networks.policies.build import build_policy
from metarl.networks.policies.own_policy import own_policies
from metarl.networks.policies.policy import NetworkConfig
from metarl.networks.policies.stacked import StackedPolicy

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["RL2", "RL2Agent", "RL2Config"]


@dataclass(frozen=True)
class RL2Config:
    """Settings of RL².

    Attributes:
        episodes: K, episodes in a meta-episode.
        num_envs: tasks played side by side in an iteration, for each seed.
        iterations: outer-loop iterations; each plays one meta-episode in every row and then
            updates.
        processes: processor cores to spread rows and updates over; results depend on their number,
            as on a seed.
        act: how the trained agent chooses: draw from the policy, or take its most likely action.
        network: the shape of the policy.
        ppo: the settings of the update.
    """

    episodes: int = 10
    num_envs: int = 4096
    iterations: int = 150
    processes: int = 1
    act: Literal["sample", "mode"] = "mode"
    network: NetworkConfig = field(default_factory=NetworkConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.episodes < 1 or self.num_envs < 1 or self.iterations < 1:
            raise ValueError(
                f"episodes, num_envs and iterations must be at least 1, not {self.episodes},"
                f" {self.num_envs} and {self.iterations}."
            )
        if self.processes < 1:
            raise ValueError(f"processes must be at least 1, not {self.processes}.")
        if self.processes > 1 and self.num_envs % (self.processes * self.ppo.minibatches):
            raise ValueError(
                f"num_envs ({self.num_envs}) must be a multiple of processes times minibatches"
                f" ({self.processes} x {self.ppo.minibatches})."
            )
        if self.act not in ("sample", "mode"):
            raise ValueError(f"act must be 'sample' or 'mode', not {self.act!r}.")
        if self.ppo.minibatches > self.num_envs:
            raise ValueError(
                f"num_envs ({self.num_envs}) must be at least the number of minibatches"
                f" ({self.ppo.minibatches})."
            )


class RL2:
    """Meta-trains a policy with memory.

    Args:
        config: settings.
        distribution: where training tasks come from (split `train` only), or its id.
        seed: names every random stream; a tuple trains one a seed, all in one batch; they share the
            streams of tasks and actions, so its numbers differ from those of the same seed alone.
        device: "cpu" or "cuda", environments included.
        make_policy: a user's own policy, called as make_policy(distribution, max_steps) for each
            seed; see `metarl.networks.policies.policy`. It is copied, and the seed decides its
            weights, where it draws them from PyTorch's global generator.
        group: the process group, in a program whose ranks all make the same learner; where none is
            given, `config.processes` are joined if a launcher such as torchrun started them, and
            else started by the first update.
    """

    Config = RL2Config
    label = "RL²"  # as tables print it

    def __init__(
        self,
        config: RL2Config,
        distribution: TaskDistribution | str,
        seed: int | tuple[int, ...] = 0,
        device: str = "cpu",
        make_policy: Callable[[TaskDistribution, int], nn.Module] | None = None,
        group: "ProcessGroup | None" = None,
    ):
        check_device(device)
        distribution = settled(type(self), config, distribution)
        self.config = config
        self.ranks = Ranks(
            config.processes,
            device,
            partial(RL2, config, distribution, seed, device, make_policy),
            group,
        )
        self.distribution = distribution
        self.device = torch.device(device)
        self.seeds = tuple(
            check_seed(each) for each in (seed if isinstance(seed, tuple | list) else (seed,))
        )
        self.num_seeds = len(self.seeds)
        self.own_parts = ("make_policy",) if make_policy else ()
        if len(set(self.seeds)) != max(1, self.num_seeds):
            raise ValueError(
                "Give an integer as seed, or a tuple of integers that differ, one a seed; not"
                f" {seed!r}."
            )
        self.budget = Episodes(config.episodes)
        self.max_steps = max_steps(self.budget, distribution)
        self.actions = action_distribution(distribution.action_space)
        policies = self._new_policies(make_policy)
        self.policy: Any = policies[0] if self.num_seeds == 1 else StackedPolicy(policies)
        self.returns = ReturnNormaliser(self.max_steps, self.num_seeds).to(self.device)
        self.optimizer = torch.optim.AdamW(
            self.policy.parameters(),
            config.ppo.lr,
            eps=config.ppo.adam_epsilon,
            weight_decay=config.ppo.weight_decay,
            fused=True,
        )
        streams = (
            derive_seed(self.seeds[0], "rl2")
            if self.num_seeds == 1
            else derive_seed(0, "rl2", *self.seeds)
        )
        self.task_seed = derive_seed(streams, "tasks")
        # The same in all ranks
        self.batch_rng = torch_generator(streams, "minibatches", device=self.device)
        own = own_seed(streams, self.ranks.rank)
        self.env_rng, self.action_rng = (
            torch_generator(own, name, device=self.device) for name in ("environment", "actions")
        )
        rows = config.num_envs // config.processes
        first = torch.arange(self.num_seeds)[:, None] * config.num_envs + self.ranks.rank * rows
        # Of all rows, those that are played here
        self._columns = (first + torch.arange(rows)).flatten()
        self.iteration = self.steps = 0

    @cached_property
    def env(self) -> MetaEpisodeEnv:
        """The training rows; opened by the first update, since acting needs none."""
        return MetaEpisodeEnv(
            self.distribution, self.budget, len(self._columns), self.env_rng, refill=False
        )

    def own_state(self) -> dict[str, Tensor]:
        """Return the states of the streams that no other rank draws from."""
        return {"env_rng": self.env_rng.get_state(), "action_rng": self.action_rng.get_state()}

    def load_own_state(self, state: dict[str, Tensor]) -> None:
        """Draw on from these states."""
        for name, stream in state.items():
            getattr(self, name).set_state(stream)

    def __repr__(self) -> str:
        return described(self)

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""
        return self.iteration >= self.config.iterations

    def update(self) -> Metrics:
        """Play one meta-episode in every row, then improve the policy on them, in all ranks at
        once.

        Raises:
            ValueError: training diverged. PlugInError: a rank failed, or an update before broke
                off.
        """
        with self.ranks.together(self):
            metrics = self.play_and_improve()
        check_update(
            self.iteration,
            metrics,
            [*self.policy.state_dict().values(), *self.returns.state_dict().values()],
        )
        return metrics

    def close(self) -> None:
        """End the other ranks and release the environments' workers.

        A further update starts them again.
        """
        self.ranks.close(self)
        if "env" in self.__dict__:
            self.__dict__.pop("env").close()

    @fast_matmul()
    def play_and_improve(self) -> Metrics:
        """Play one meta-episode in every row, then improve the policy on them."""
        rollout = self._play()
        if self.iteration == 0:
            self.learn_first_baseline(rollout)
        read = self.policy.preprocess(rollout.steps, rollout.valid)
        batch = self.batch(rollout)._replace(steps=read)
        metrics = ppo_update(
            self.policy,
            self.optimizer,
            self.actions,
            batch,
            self.config.ppo,
            self.iteration / self.config.iterations,
            self.num_seeds,
            self.batch_rng,
            self.ranks.group,
        )
        # after the update, so that acting and training read the same numbers
        self.policy.learn_moments(rollout.steps, rollout.valid)
        self.iteration += 1
        self.steps += int(rollout.valid.sum())
        returns = rollout.reward.sum(0).unflatten(0, (self.num_seeds, -1)).mean(1)
        each = (
            {
                f"return_{seed}": value
                for seed, value in zip(self.seeds, returns.tolist(), strict=True)
            }
            if self.num_seeds > 1
            else {}
        )
        measured = {name: float(value) for name, value in metrics._asdict().items()}
        return {
            "iteration": float(self.iteration),
            "steps": float(self.steps),
            "return": float(returns.mean()),
            **each,
            **measured,
        }

    def _play(self) -> Trajectory:
        """Return a meta-episode in every row, whichever process plays it."""
        tasks = fresh_tasks(
            self.distribution,
            "train",
            self.config.num_envs * self.num_seeds,
            self.task_seed,
            first=self.iteration,
        )
        rollout = collect(
            self.env,
            self.policy,
            self.actions,
            lambda rows, counts: tasks(self._columns[rows], counts),
            self.action_rng,
        )
        return all_gather_trajectory(self.ranks.group, rollout, self.num_seeds)

    @torch.no_grad()
    def learn_first_baseline(self, rollout: Trajectory) -> None:
        """Returns per time step, as a baseline for the first update.

        One without could undo what a policy began with.
        """
        assert rollout.meta_episode_end is not None
        reward, valid, end = (
            part.unflatten(1, (self.num_seeds, -1))
            for part in (rollout.reward, rollout.valid, rollout.meta_episode_end)
        )
        returns = discounted_returns(reward, ~end & valid, self.config.ppo.discount)
        self.returns.update(torch.where(valid, returns, 0), valid)

    @torch.no_grad()
    def batch(self, rollout: Trajectory) -> Batch:
        """Advantages and value targets over whole meta-episodes.

        Ends of episodes don't cut the return.
        """
        assert rollout.value is not None
        assert rollout.meta_episode_end is not None
        assert rollout.steps is not None
        ppo = self.config.ppo
        num_seeds = self.num_seeds
        reward, value, valid, end = (
            part.unflatten(1, (num_seeds, -1))
            for part in (rollout.reward, rollout.value, rollout.valid, rollout.meta_episode_end)
        )
        carry = ~end & valid
        value = self.returns.denormalise(value)
        next_value = values_after(value, carry, torch.zeros_like(value[0]), 0)
        advantage = gae(reward, value, next_value, carry, ppo.discount, ppo.gae_lambda)
        target = torch.where(valid, advantage, 0) + value
        self.returns.update(target, valid)
        return Batch(
            rollout.steps,
            rollout.action,
            rollout.log_prob,
            normalised(advantage, valid).flatten(1),
            self.returns.normalise(target).flatten(1),
            rollout.valid,
        )

    def agent(self, budget: Budget, seed_index: int = 0) -> "RL2Agent":
        """Return the agent trained so far, with weights of its own.

        Raises:
            ValueError: the budget is longer than an attention core can remember, or training had
                diverged.
        """
        budget = as_budget(budget)
        policy = self._policy_of(seed_index)
        check_weights(policy.state_dict())
        policy, steps, exactly = policy.under_budget(max_steps(budget, self.distribution))
        if exactly:
            made_for = MadeFor(self.distribution, budget, tasks="spaces", length="exactly")
        elif steps is not None:
            made_for = MadeFor(self.distribution, Steps(steps), tasks="spaces", length="at most")
        else:
            made_for = MadeFor(self.distribution, budget, tasks="spaces")
        return RL2Agent(policy.eval(), self.config.act, made_for)

    def weights(self, seed_index: int = 0) -> dict[str, Any]:
        """Return the policy of one seed."""
        return {"policy": dict(self._policy_of(seed_index).state_dict())}

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over a policy, for acting or as a start."""
        check_weights(weights)
        self.ranks.renew(self)
        if self.num_seeds == 1:
            self.policy.load_state_dict(weights["policy"])
            return
        for index in range(self.num_seeds):
            policy = self._policy_of(index)
            policy.load_state_dict(weights["policy"])
            self.policy.write(index, policy)

    def start_from(self, weights: dict[str, Any]) -> None:
        """Begin with a policy that may have been trained for another number of episodes.

        Positions new to it get its last one.
        """
        policy = self._policy_of(0).lengthened(dict(weights["policy"]), self.max_steps)
        self.load_weights({"policy": policy})

    def state_dict(self) -> dict[str, Any]:
        """Everything that `update` depends on, as copies that further updates leave alone."""
        tensors = {
            "policy": self.policy.state_dict(),
            "returns": self.returns.state_dict(),
            "optimizer": optimizer_state(self.optimizer),
            "streams": {
                name: getattr(self, name).get_state()
                for name in ("env_rng", "action_rng", "batch_rng")
            },
        }
        if self.config.processes > 1:
            tensors["ranks"] = self.ranks.states_of_others(self)
        return {
            **tree_map(torch.clone, {name: dict(part) for name, part in tensors.items()}),
            "iteration": self.iteration,
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        check_weights({name: state[name] for name in ("policy", "returns")})
        own = self.own_state()
        self.policy.load_state_dict(state["policy"])
        self.returns.load_state_dict(state["returns"])
        load_optimizer_state(self.optimizer, state["optimizer"])
        for name, stream in state["streams"].items():
            getattr(self, name).set_state(stream.cpu())
        self.iteration = int(state["iteration"])
        self.steps = int(state["steps"])
        self.ranks.take_over(self, state, own)

    def _new_policies(
        self, make_policy: Callable[[TaskDistribution, int], nn.Module] | None
    ) -> list[nn.Module]:
        """Return a policy a seed, the user's own as copies that nobody else trains."""
        if make_policy is None:
            new = (
                build_policy(
                    self.distribution,
                    self.config.network,
                    self.max_steps,
                    torch_generator(seed, "weights"),
                )
                for seed in self.seeds
            )
            return [policy.to(self.device) for policy in new]
        made = []
        for seed in self.seeds:
            # A user's module draws its weights from the global generator
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(derive_seed(seed, "weights"))
                made.append(make_policy(self.distribution, self.max_steps))
        return own_policies(
            made, self.distribution.observation_space, self.distribution.action_space, self.device
        )

    def _policy_of(self, index: int) -> Any:
        if not 0 <= index < self.num_seeds:
            raise ValueError(
                f"There is no seed number {index}; this learner trains {self.num_seeds}."
            )
        return copy.deepcopy(self.policy) if self.num_seeds == 1 else self.policy.select(index)


class RL2Agent:
    """Acts with a trained policy; its state is the policy's memory, so adapting is what the memory
    does.

    Args:
        policy: what to act with. act: "sample" or "mode". made_for: what `evaluate` holds against
            what is played.
    """

    __repr__ = agent_repr

    def __init__(self, policy: Any, act: str, made_for: MadeFor):
        self.made_for = made_for
        self.policy = policy
        self.mode = act == "mode"
        self.actions = action_distribution(made_for.distribution.action_space)

    def initial_state(self, batch_size: int) -> Any:
        """Return an empty memory."""
        return self.policy.initial_state(batch_size)

    @fast_matmul()
    @torch.no_grad()
    def act(self, step: Step, state: Any, rng: Generator) -> tuple[Tensor, Any]:
        """Return one step of B rows."""
        output, state = self.policy(step, state)
        check_output(f"The policy of this {type(self).__name__}", output.parameters, output.value)
        action = (
            self.actions.mode(output.parameters)
            if self.mode
            else self.actions.sample(output.parameters, rng)
        )
        return self.actions.to_environment(action), state
