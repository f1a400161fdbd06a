"""learn2learn's MAML, Meta-SGD and GBML as a learner: its own clones adapt, task after task (Arnold
et al. 2020, arXiv 2008.12284).

An algorithm of learn2learn's wraps a network; `clone()` gives a copy that remembers where it came
from, `adapt(loss)` takes an inner step on it, and the loss after the last one is differentiated
back to the algorithm's parameters: weights, and whatever else it trains, such as Meta-SGD's step
sizes or GBML's transform of gradients. Training tasks, their examples, first weights and the outer
optimiser are those of our own learners (`metarl.learners.initialisation.supervised_initialisation`)
for the same seed, so that curves of both can be laid over each other.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.utils._pytree import tree_map

from metarl.core.arguments import check_device, check_fields
from metarl.core.learner import Metrics
from metarl.core.seeding import derive_seed, global_states, torch_generator
from metarl.core.supervised import Examples, SupervisedDistribution
from metarl.interop.learn2learn import import_learn2learn
from metarl.learners.initialisation.inner_loop import MetaGradient, check_converges, minibatches
from metarl.learners.initialisation.supervised_initialisation import check_settings, network_for
from metarl.learners.optimizers import SGD, Adam, moved_to
from metarl.learners.settings import check_step_sizes, described, only_seed, settled_examples
from metarl.networks.finite import check_update, check_weights
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.perceptron import PerceptronConfig

__all__ = ["CloneAdapter", "Learn2Learn", "Learn2LearnConfig", "learn2learn_gradient"]

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Learn2LearnConfig:
    """Settings of learn2learn's algorithms.

    Attributes:
        algorithm: which of them. It and the five settings after it aren't read where the learner is
            given an algorithm.
        inner_lr: size of the inner steps; Meta-SGD's as they begin.
        first_order: take inner gradients as constants.
        transform: what GBML does to a gradient: a factor for each entry, or a Kronecker product of
            two matrices (Arnold et al. 2021, arXiv 1910.13603).
        adapt_transform: let inner steps move GBML's transform too; not with first_order.
        network: the shape of the network, of vectors or of images.
        iterations: outer steps.
        tasks: tasks in an outer step, one after the other.
        inner_steps: steps on each task.
        batch: examples in an inner step; None for the whole support.
        outer: the optimiser of the outer steps.
        anneal: shrink the outer step linearly to nothing.
    """

    algorithm: Literal["maml", "meta-sgd", "gbml"] = "maml"
    inner_lr: float = 0.02
    first_order: bool = False
    transform: Literal["scale", "kronecker"] = "scale"
    adapt_transform: bool = False
    network: PerceptronConfig | ImageNetworkConfig = field(default_factory=PerceptronConfig)
    iterations: int = 3000
    tasks: int = 25
    inner_steps: int = 5
    batch: int | None = None
    outer: SGD | Adam = field(default_factory=lambda: Adam(1e-3))
    anneal: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        check_settings(self.iterations, self.tasks, self.inner_steps, self.batch)
        check_step_sizes(inner_lr=self.inner_lr)
        for name, known in (
            ("algorithm", ("maml", "meta-sgd", "gbml")),
            ("transform", ("scale", "kronecker")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}."
                )
        if self.first_order and self.adapt_transform:
            raise ValueError(
                "learn2learn's GBML can't adapt its transform by first-order gradients: leave out"
                " one of the two."
            )


def learn2learn_gradient(
    algorithm: Any, loss: Loss, batches: Sequence[Examples], query: Examples
) -> MetaGradient:
    """Return the mean over tasks of the gradient, by everything that the algorithm trains, of the
    query's loss after the inner loop.

    Args:
        algorithm: of learn2learn's; each task adapts a clone of it.
        loss: outputs [m, ...] and targets [m, ...] give [m].
        batches: the examples of each inner step. query: those of the loss after them.
    """
    trained = _parameters(algorithm)
    n = len(query.inputs)
    algorithm.zero_grad()
    losses = torch.empty(len(batches) + 1, n, dtype=trained[0].dtype, device=trained[0].device)
    for i in range(n):
        clone = algorithm.clone()
        for step, batch in enumerate(batches):
            before = _loss(loss, clone, batch, i)
            clone.adapt(before)
            losses[step, i] = before.detach()
        last = _loss(loss, clone, query, i)
        losses[-1, i] = last.detach()
        (last / n).backward()
    return MetaGradient(
        [torch.zeros_like(each) if each.grad is None else each.grad for each in trained], losses
    )


class CloneStates(NamedTuple):
    """Where the inner loops of n tasks stand."""

    clones: list[Any]  # n of the algorithm's
    waiting: list[Examples]  # minibatches of the steps to come
    support: Examples  # [n, s, ...]


@dataclass(frozen=True)
class CloneAdapter:
    """A clone for each task, adapted by the algorithm's own steps.

    Attributes:
        algorithm: what clones are made of; evaluation leaves it as it is.
        loss: what is descended on; outputs [m, ...] and targets [m, ...] give [m].
        batch: examples of each task in a step; None for all.
    """

    algorithm: Any
    loss: Loss
    batch: int | None = None

    def begin(self, support: Examples, steps: int, rng: Generator) -> CloneStates:
        """Return every task at the shared weights."""
        like = _parameters(self.algorithm)[0]
        support = Examples(*(_cast(part, like) for part in support))
        clones = [self.algorithm.clone() for _ in support.inputs]
        return CloneStates(clones, minibatches(support, self.batch, steps, rng), support)

    def step(self, state: CloneStates) -> CloneStates:
        """Return one `adapt` of each clone on the next minibatch."""
        detach_module = import_learn2learn("This adapter").detach_module
        for i, clone in enumerate(state.clones):
            loss = _loss(self.loss, clone, state.waiting[0], i)
            # The transform's step goes back through the weights' last one
            if getattr(clone, "adapt_transform", False):
                clone.adapt(loss)
            else:
                clone.adapt(loss, first_order=True)  # the same step, with less to remember
                detach_module(clone, keep_requires_grad=True)
        return CloneStates(state.clones, state.waiting[1:], state.support)

    @torch.no_grad()
    def predict(self, state: CloneStates, inputs: Tensor, transductive: bool = True) -> Tensor:
        """Return what the clones say as they stand, of a task's inputs as one batch or of each of
        them beside the support alone.
        """
        inputs = _cast(inputs, _parameters(self.algorithm)[0])
        said = []
        for clone, each, beside in zip(state.clones, inputs, state.support.inputs, strict=True):
            said.append(
                clone(each)
                if transductive
                else torch.stack([clone(torch.cat([beside, one[None]]))[-1] for one in each])
            )
        return torch.stack(said)


class Learn2Learn:
    """Meta-trains an algorithm of learn2learn's, in place: the one that `config` describes, or one
    that the user made.

    Args:
        config: settings.
        distribution: where training tasks come from (split `train` only).
        seed: names every random stream.
        device: "cpu" or "cuda".
        algorithm: a user's own, such as `learn2learn.algorithms.MAML(model, lr=0.02)` around any
            network.

    Raises:
        ValueError: learn2learn isn't installed, `algorithm` is none, or it doesn't fit the
            distribution.
    """

    Config = Learn2LearnConfig
    label = "learn2learn"  # as tables print it

    def __init__(
        self,
        config: Learn2LearnConfig,
        distribution: SupervisedDistribution | str,
        seed: int | tuple[int, ...] = 0,
        device: str = "cpu",
        algorithm: Any = None,
    ):
        check_device(device)
        distribution = settled_examples(type(self), config, distribution)
        self.config = config
        self.distribution = distribution
        self.device = torch.device(device)
        self.seeds = (only_seed("Learn2Learn", seed),)
        self.own_parts = () if algorithm is None else ("algorithm",)
        streams = derive_seed(self.seeds[0], "initialisation")
        self.task_seed = derive_seed(streams, "tasks")
        self.rng = torch_generator(streams, "examples", device=self.device)
        if algorithm is None:
            algorithm = _algorithm(
                config,
                network_for(config.network, distribution, torch_generator(streams, "weights")),
            )
        if not all(hasattr(algorithm, name) for name in ("clone", "adapt", "parameters")):
            raise ValueError(
                "algorithm must be one of learn2learn's, such as MAML(model, lr=0.02), not a"
                f" {type(algorithm).__name__}."
            )
        self.algorithm: Any = algorithm.to(self.device)
        self.trained = _parameters(self.algorithm)
        if not self.trained:
            raise ValueError(
                "This algorithm's network has no parameters that are trained: there is nothing to"
                " learn."
            )
        self._check_outputs(torch_generator(streams, "trial", device=self.device))
        self.outer_state = config.outer.start(self.trained)
        self.iteration = self.steps = 0

    def _check_outputs(self, rng: Generator) -> None:
        """Try a copy of the algorithm on one task's query."""
        inputs = self.distribution.query(self._tasks(1, self.task_seed), rng).inputs
        name = (
            type(self.algorithm.module).__name__
            if hasattr(self.algorithm, "module")
            else type(self.algorithm).__name__
        )
        before = global_states()
        try:
            with torch.no_grad(), torch.random.fork_rng():
                given = copy.deepcopy(self.algorithm)(inputs[0])
                draws = global_states() != before
        except (RuntimeError, ValueError, IndexError) as error:
            raise ValueError(
                f"{name} can't compute inputs {tuple(inputs[0].shape)}: {error}"
            ) from error
        if draws:
            raise ValueError(
                f"{name} draws from a global generator (as dropout does), so that a seed wouldn't"
                " decide what is learned; set p of such layers to 0, or leave them out."
            )
        wanted = (inputs.shape[1], self.distribution.outputs)
        if tuple(given.shape) != wanted:
            raise ValueError(
                f"{name} gives {tuple(given.shape)} for inputs {tuple(inputs[0].shape)}, not"
                f" {wanted}; change its last layer."
            )

    def _tasks(self, n: int, seed: int) -> Any:
        """Training tasks in the weights' floating type."""
        return self.distribution.sample(n, "train", seed).to(self.device, self.trained[0].dtype)

    def meta_gradient(self, support: Examples, query: Examples) -> MetaGradient:
        """Inner steps on the support, the loss after them on the query."""
        batches = minibatches(support, self.config.batch, self.config.inner_steps, self.rng)
        return learn2learn_gradient(self.algorithm, self.distribution.loss, batches, query)

    def update(self) -> Metrics:
        """Return one outer step on fresh tasks.

        "steps" are gradients of single tasks so far; "return" is the negative loss at which each
        task's last one was taken.
        """
        config = self.config
        distribution = self.distribution
        tasks = self._tasks(config.tasks, derive_seed(self.task_seed, self.iteration))
        support = distribution.support(tasks, self.rng)
        found = self.meta_gradient(support, distribution.query(tasks, self.rng))
        check_converges(found.losses, f"in iteration {self.iteration + 1}")
        scale = 1 - self.iteration / config.iterations if config.anneal else 1.0
        with torch.no_grad():
            moved, self.outer_state = config.outer.step(
                self.trained, found.gradients, self.outer_state, scale
            )
            for parameter, value in zip(self.trained, moved, strict=True):
                parameter.copy_(value)
        self.iteration += 1
        self.steps += found.losses.numel()
        first = float(found.losses[0].mean())
        last = float(found.losses[-1].mean())
        counters = {"iteration": float(self.iteration), "steps": float(self.steps)}
        metrics = {**counters, "return": -last, "loss_first": first, "loss_last": last}
        check_update(self.iteration, metrics, self.trained)
        return metrics

    def __repr__(self) -> str:
        return described(self)

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""
        return self.iteration >= self.config.iterations

    def adapter(self, batch: int | None = None) -> CloneAdapter:
        """Return what adapts to tasks from what is trained so far, which it copies.

        By `batch` examples a step, or the whole support.
        """
        check_weights(self.weights())
        return CloneAdapter(copy.deepcopy(self.algorithm), self.distribution.loss, batch)

    def weights(self, seed_index: int = 0) -> dict[str, Any]:
        """Parameters and buffers of the algorithm."""
        return {
            "trained": {
                name: tensor.detach().clone()
                for name, tensor in self.algorithm.state_dict().items()
            }
        }

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over what another has trained.

        Raises:
            ValueError: it was trained with another network or algorithm.
        """
        check_weights(weights)
        given = weights["trained"]
        own = self.algorithm.state_dict()
        if {name: tensor.shape for name, tensor in given.items()} != {
            name: tensor.shape for name, tensor in own.items()
        }:
            raise ValueError(
                f"These weights are of another network or algorithm: {', '.join(given)} rather than"
                f" {', '.join(own)}."
            )
        self.algorithm.load_state_dict(given)

    def state_dict(self) -> dict[str, Any]:
        """Everything that `update` depends on; later updates change no tensor in it."""
        counters = {"iteration": self.iteration, "steps": self.steps}
        return {
            **self.weights(),
            "outer": dict(self.outer_state),
            "stream": self.rng.get_state(),
            **counters,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.load_weights(state)
        self.outer_state = moved_to(self.device, state["outer"])
        self.rng.set_state(state["stream"].cpu())
        self.iteration = int(state["iteration"])
        self.steps = int(state["steps"])


def _algorithm(config: Learn2LearnConfig, network: nn.Module) -> Any:
    """learn2learn's own object, as `config` describes it."""
    learn2learn = import_learn2learn("Learn2Learn")
    algorithms = learn2learn.algorithms
    first_order = config.first_order
    if config.algorithm == "maml":
        return algorithms.MAML(network, lr=config.inner_lr, first_order=first_order)
    if config.algorithm == "meta-sgd":
        return algorithms.MetaSGD(network, lr=config.inner_lr, first_order=first_order)
    transform = (
        _factors
        if config.transform == "scale"
        else learn2learn.optim.KroneckerTransform(learn2learn.nn.KroneckerLinear)
    )
    return algorithms.GBML(
        network,
        transform,
        lr=config.inner_lr,
        adapt_transform=config.adapt_transform,
        first_order=first_order,
        allow_unused=True,
    )


def _factors(parameter: Tensor) -> nn.Module:
    """Return a factor for each entry of a gradient, 1 as it begins."""
    scale: nn.Module = import_learn2learn("Learn2Learn").nn.Scale(tuple(parameter.shape))
    return scale


def _parameters(algorithm: Any) -> list[Tensor]:
    """Return what an outer step moves."""
    return [parameter for parameter in algorithm.parameters() if parameter.requires_grad]


def _cast(values: Tensor, like: Tensor) -> Tensor:
    """Floating values in the floating type of `like`."""
    return values.to(like.dtype) if values.is_floating_point() else values


def _loss(loss: Loss, clone: Any, examples: Examples, task: int) -> Tensor:
    """Return the mean loss of one task's examples.

    Targets may be a named tuple of tensors, and of numbers for all tasks.
    """
    targets = tree_map(
        lambda part: part[task] if isinstance(part, Tensor) else part, examples.targets
    )
    return loss(clone(examples.inputs[task]), targets).mean()
