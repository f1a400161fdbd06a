"""What the learners of a policy's initialisation share: playing, adapting, the outer step, and what
is saved.

They meta-train the weights from which policy gradients adapt to a task within a few updates (Finn
et al. 2017, section 3.2). Each algorithm's own file says what its meta-gradient is, in the very
functions that learn supervised tasks; inner steps descend on a policy's surrogate loss in place of
a supervised one. Outer steps are TRPO's or PPO's.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from metarl.core.arguments import check_device, check_fields
from metarl.core.budget import Budget, Episodes, as_budget
from metarl.core.learner import Metrics
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.step import Step
from metarl.core.supervised import Examples
from metarl.core.task_distribution import TaskDistribution, Tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.initialisation.adapting_policy import Adaptation, AdaptingPolicyAgent
from metarl.learners.initialisation.inner_loop import (
    MetaGradient,
    Problem,
    adapt,
    broadcast,
    check_converges,
    check_meta_gradient,
    task_gradients,
    task_losses,
    totals,
)
from metarl.learners.optimizers import SGD, Adam, moved_to
from metarl.learners.policy_gradient.advantages import PolicyGradientBatch, estimate_advantages
from metarl.learners.policy_gradient.ppo import surrogate
from metarl.learners.policy_gradient.trajectory import Trajectory, by_task, collect
from metarl.learners.policy_gradient.trust_region import TRPO, trust_region_step
from metarl.learners.settings import check_counts, described, only_seed, settled
from metarl.networks.actions import action_distribution
from metarl.networks.encoders import check_vectors
from metarl.networks.finite import check_update, check_weights
from metarl.networks.inputs import StepInputs
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import PerceptronConfig
from metarl.networks.policies.perceptron_policy import PolicyPerceptron
from metarl.networks.policies.policy import PolicyOutput

__all__ = ["ClippedPPO", "PolicyInitialisation", "PolicyInitialisationConfig"]

Carry = Callable[[list[Tensor]], list[Tensor]]


@dataclass(frozen=True)
class ClippedPPO:
    """An outer step by PPO: several steps of Adam on the clipped surrogate (Schulman et al. 2017),
    all tasks in each of them.

    Attributes:
        epochs: steps on one batch of episodes.
        clip: of the probability ratio.
        adam: takes the steps.
    """

    epochs: int = 5
    clip: float = 0.2
    adam: Adam = field(default_factory=lambda: Adam(1e-3))

    def __post_init__(self) -> None:
        check_fields(self, may_be_infinite=("clip",))
        if self.epochs < 1 or self.clip <= 0:
            raise ValueError(
                f"epochs must be at least 1 and clip positive, not {self.epochs} and {self.clip}."
            )


@dataclass(frozen=True)
class PolicyInitialisationConfig:
    """Settings of learners that adapt in training as at test.

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
        check_fields(self)
        check_counts(iterations=self.iterations, tasks=self.tasks, inner_steps=self.inner_steps)


class Outer(NamedTuple):
    """What an outer step did."""

    kl: float  # mean divergence of the policies after adaptation, new from old, in nats
    share: float  # of the longest step that the trust region allows; 1 for PPO


class FastPolicy:
    """A policy with weights of their own for each of n tasks, as `collect` plays it: rows of a task
    lie side by side.

    Args:
        inputs: reads observations. network: the policy. weights: [n, ...] each.
    """

    def __init__(self, inputs: StepInputs, network: PerTask, weights: list[Tensor]):
        self.inputs = inputs
        self.network = network
        self.weights = weights

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing is remembered."""
        return ()

    def __call__(self, step: Step, state: tuple[()]) -> tuple[PolicyOutput, tuple[()]]:
        """Parameters [B, P] for B rows; it values nothing."""
        features = self.inputs(step).unflatten(0, (len(self.weights[0]), -1))
        return (
            PolicyOutput(
                self.network(self.weights, features).flatten(0, 1),
                torch.zeros_like(step.prev_reward),
            ),
            (),
        )


class PolicyInitialisation(ABC):
    """Meta-trains the weights that policy gradients start from in a new task.

    Args:
        config: settings.
        distribution: where training tasks come from (split `train` only).
        seed: names every random stream.
        device: "cpu" or "cuda", environments included.
    """

    Config: ClassVar[Any]

    def __init__(
        self,
        config: Any,
        distribution: TaskDistribution | str,
        seed: int | tuple[int, ...] = 0,
        device: str = "cpu",
    ):
        check_device(device)
        distribution = settled(type(self), config, distribution)
        check_vectors(
            type(self).__name__, distribution.id, distribution.observation_space, "rl2 or joint-ppo"
        )
        self.config = config
        self.distribution = distribution
        self.device = torch.device(device)
        self.seeds = (only_seed(type(self).__name__, seed),)
        streams = derive_seed(self.seeds[0], "policy initialisation")
        self.task_seed = derive_seed(streams, "tasks")
        self.env_rng, self.action_rng = (
            torch_generator(streams, name, device=self.device)
            for name in ("environment", "actions")
        )
        self.actions = action_distribution(distribution.action_space)
        self.inputs = StepInputs(
            distribution.observation_space, distribution.action_space, observation_only=True
        ).to(self.device)
        network = PolicyPerceptron(
            self.inputs.size,
            distribution.action_space,
            config.network,
            torch_generator(streams, "weights"),
            config.adaptation.log_std,
        ).to(self.device)
        self.network = PerTask(network)
        self.problem = Problem(self.network, surrogate(self.actions))
        self.initial = self.network.weights()
        self.adam_state = (
            config.outer.adam.start(self.initial) if isinstance(config.outer, ClippedPPO) else {}
        )
        self.iteration = self.steps = 0

    @abstractmethod
    def meta_gradient(
        self, problem: Problem, initial: list[Tensor], support: list[Examples], query: Examples
    ) -> MetaGradient:
        """Return the algorithm.

        What the steps that each inner update learned from, and those after the last, say of the
        initial weights.
        """

    @property
    def inner_steps(self) -> int:
        """Updates of the policy in each training task."""
        return int(self.config.inner_steps)

    @property
    def descends(self) -> bool:
        """Whether the meta-gradient is of the loss after adaptation."""
        return True

    def carry(self, support: list[Examples]) -> tuple[Carry, Carry]:
        """Return the derivative of each task's adapted weights by the initial ones, and its
        transpose, as products with vectors [n, ...].

        The identity, to first order.
        """
        return (lambda vectors: vectors), (lambda vectors: vectors)

    @cached_property
    def env(self) -> MetaEpisodeEnv:
        """Rows for E episodes of each task side by side.

        Opened by the first update, since acting needs none.
        """
        rows = self.config.tasks * self.config.adaptation.episodes
        return MetaEpisodeEnv(self.distribution, Episodes(1), rows, self.env_rng, refill=False)

    def close(self) -> None:
        """Release the environments' workers."""
        if "env" in self.__dict__:
            self.__dict__.pop("env").close()

    def update(self) -> Metrics:
        """Play and adapt in fresh tasks, then one outer step.

        "return" is the mean return of an episode after the last inner update, "return_before" that
        before the first.
        """
        config = self.config
        adaptation = self.config.adaptation
        tasks = self.distribution.sample(
            config.tasks, "train", derive_seed(self.task_seed, self.iteration)
        )
        weights = broadcast(self.initial, config.tasks)
        batches = list[Examples]()
        returns = list[float]()
        seen = list[Tensor]()
        losses = list[Tensor]()
        for step in range(self.inner_steps + 1):
            episodes, observations = self.play(tasks, weights)
            returns.append(float(torch.where(episodes.valid, episodes.reward, 0).sum(0).mean()))
            batches.append(
                estimate_advantages(episodes, adaptation.discount, adaptation.gae_lambda)
            )
            seen.append(observations)
            self.steps += int(episodes.valid.sum())
            if step < self.inner_steps:
                found = task_gradients(self.problem, weights, batches[-1])
                weights = SGD(adaptation.inner_lr).step(weights, found.gradients, {})[0]
                losses += [found.loss]
                check_converges(
                    torch.stack([*losses, 0 * totals(weights)]),
                    f"in iteration {self.iteration + 1}",
                )
        outer = self.outer_step(batches[:-1], batches[-1])
        if self.inputs.normalises:
            self.inputs.observation_moments.update(torch.cat(seen))
        self.iteration += 1
        metrics = {
            "iteration": float(self.iteration),
            "steps": float(self.steps),
            "return": returns[-1],
            "return_before": returns[0],
        }
        metrics |= {"kl": outer.kl, "share": outer.share}
        check_update(self.iteration, metrics, [*self.initial, *self.inputs.state_dict().values()])
        return metrics

    @torch.no_grad()
    def play(self, tasks: Tasks, weights: list[Tensor]) -> tuple[Trajectory, Tensor]:
        """E episodes of each of n tasks with that task's weights [n, ...], and all observations
        acted on [k, *obs].
        """
        n = len(tasks)
        each = self.config.adaptation.episodes
        policy = FastPolicy(self.inputs, self.network, weights)
        rollout = collect(
            self.env,
            policy,
            self.actions,
            lambda rows, counts: tasks[rows // each],
            self.action_rng,
            True,
        )
        return by_task(rollout, self.inputs.encode, n), rollout.observation[rollout.valid]

    def outer_step(self, support: list[Examples], query: Examples) -> Outer:
        """Move the initial weights by what `support` and `query` say of them."""
        outer = self.config.outer
        if isinstance(outer, ClippedPPO):
            weights = self.initial
            clipped = Examples(query.inputs, query.targets._replace(clip=outer.clip))
            # Inner updates are those of an agent: nothing is clipped in them
            for _ in range(outer.epochs):
                found = self.meta_gradient(self.problem, weights, support, clipped)
                check_meta_gradient(found, f"in iteration {self.iteration + 1}")
                weights, self.adam_state = outer.adam.step(
                    weights, found.gradients, self.adam_state
                )
            _, kl = self.measure(support, query)(weights)
            self.initial = weights
            return Outer(kl, 1.0)
        found = self.meta_gradient(self.problem, self.initial, support, query)
        check_meta_gradient(found, f"in iteration {self.iteration + 1}")
        measure = self.measure(support, query)
        loss = float(found.losses[-1].mean()) if self.descends else None
        taken = trust_region_step(
            self.initial, found.gradients, self.fisher_product(support, query), measure, outer, loss
        )
        self.initial = taken.weights
        return Outer(taken.kl, taken.share)

    def adapted(self, initial: list[Tensor], support: list[Examples]) -> list[Tensor]:
        """Return each task's weights [n, ...] after the inner updates from `initial`, on steps
        played before.
        """
        if not support:
            return broadcast(initial, self.config.tasks)
        return adapt(self.problem, initial, support, SGD(self.config.adaptation.inner_lr)).weights

    def measure(
        self, support: list[Examples], query: Examples
    ) -> Callable[[list[Tensor]], tuple[float, float]]:
        """Of other initial weights.

        The loss after adaptation, and how far policies diverge then from those adapted from ours.
        """
        batch: PolicyGradientBatch = query.targets
        with torch.no_grad():
            old = self.network(self.adapted(self.initial, support), query.inputs)

        def of(initial: list[Tensor]) -> tuple[float, float]:
            weights = self.adapted(initial, support)
            with torch.no_grad():
                kl = (
                    batch.weight * self.actions.kl(old, self.network(weights, query.inputs))
                ).mean()
                return float(task_losses(self.problem, weights, query).mean()), float(kl)

        return of

    def fisher_product(self, support: list[Examples], query: Examples) -> Carry:
        """Return the matrix of second derivatives, by the initial weights, of the mean divergence
        after adaptation, times a vector.
        """
        batch: PolicyGradientBatch = query.targets
        forth, back = self.carry(support)
        leaves = [
            weight.detach().clone().requires_grad_()
            for weight in self.adapted(self.initial, support)
        ]
        parameters = self.network(leaves, query.inputs)
        divergence = (batch.weight * self.actions.kl(parameters.detach(), parameters)).mean(1).sum()
        slopes = torch.autograd.grad(divergence, leaves, create_graph=True)

        def product(vector: list[Tensor]) -> list[Tensor]:
            carried = forth(broadcast(vector, self.config.tasks))
            curved = torch.autograd.grad(
                slopes, leaves, carried, retain_graph=True, materialize_grads=True
            )
            return [part.mean(0) for part in back(list(curved))]

        return product

    @staticmethod
    def usual_budget(config: Any, distribution: TaskDistribution) -> Budget:
        """Return the updates that it was trained for, and as many episodes as lie between them
        after the last.
        """
        each = config.adaptation.episodes
        return Episodes(each * getattr(config, "inner_steps", 1), after=each)

    def __repr__(self) -> str:
        return described(self)

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""
        return bool(self.iteration >= self.config.iterations)

    def agent(self, budget: Budget, seed_index: int = 0) -> AdaptingPolicyAgent:
        """Return the agent that adapts from the weights trained so far, which it copies."""
        if seed_index:
            raise ValueError(f"There is no seed number {seed_index}; this learner trains one seed.")
        check_weights(self.weights())
        weights, inputs = [weight.clone() for weight in self.initial], copy.deepcopy(self.inputs)
        return AdaptingPolicyAgent(
            self.problem,
            weights,
            inputs,
            self.config.adaptation,
            self.distribution,
            as_budget(budget),
        )

    def weights(self, seed_index: int = 0) -> dict[str, Any]:
        """Return what `agent` needs: the initial weights and the moments of observations."""
        return {
            "initial": {
                name: tensor.clone()
                for name, tensor in zip(self.network.names, self.initial, strict=True)
            },
            "inputs": {name: tensor.clone() for name, tensor in self.inputs.state_dict().items()},
        }

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over what another has trained.

        Raises:
            ValueError: it was trained with another network.
        """
        check_weights(weights)
        given = weights["initial"]
        shapes = {
            name: tuple(tensor.shape)
            for name, tensor in zip(self.network.names, self.initial, strict=True)
        }
        if {name: tuple(tensor.shape) for name, tensor in given.items()} != shapes:
            raise ValueError(
                f"These weights are of another network: {', '.join(given)} rather than"
                f" {', '.join(shapes)}."
            )
        self.initial = [
            given[name].to(self.device, torch.float32, copy=True) for name in self.network.names
        ]
        self.inputs.load_state_dict(weights["inputs"])

    def state_dict(self) -> dict[str, Any]:
        """Everything that `update` depends on; later updates change no tensor in it."""
        streams = {name: getattr(self, name).get_state() for name in ("env_rng", "action_rng")}
        return {
            **self.weights(),
            "adam": dict(self.adam_state),
            "streams": streams,
            "iteration": self.iteration,
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.load_weights(state)
        self.adam_state = moved_to(self.device, state["adam"])
        for name, stream in state["streams"].items():
            getattr(self, name).set_state(stream.cpu())
        self.iteration = int(state["iteration"])
        self.steps = int(state["steps"])
