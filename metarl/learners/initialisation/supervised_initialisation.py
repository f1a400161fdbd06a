"""What the learners of an initialisation share: networks, training tasks, the outer step, and what
is saved.

Each algorithm's own file says what its meta-gradient is; an outer optimiser then moves what is
trained against it. They learn supervised tasks (`metarl.core.supervised`) and yield an adapter,
which `metarl.evaluation.supervised` scores.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from metarl.core.arguments import check_device
from metarl.core.learner import Metrics
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.supervised import Examples, SupervisedDistribution
from metarl.learners.initialisation.adapter import GradientAdapter, Stepper
from metarl.learners.initialisation.inner_loop import MetaGradient, Problem, check_meta_gradient
from metarl.learners.optimizers import moved_to
from metarl.learners.settings import check_counts, described, only_seed, settled_examples
from metarl.networks.finite import check_update, check_weights
from metarl.networks.image_network import ImageNetwork, ImageNetworkConfig
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import Perceptron, PerceptronConfig

__all__ = ["InitialisationLearner", "MakeNetwork", "check_settings", "network_for"]

MakeNetwork = Callable[[SupervisedDistribution, Generator], nn.Module]


def check_settings(iterations: int, tasks: int, inner_steps: int, batch: int | None) -> None:
    """Raise ValueError for settings that no learner can work with.

    None as batch is the whole support.
    """
    check_counts(iterations=iterations, tasks=tasks, inner_steps=inner_steps)
    if batch is not None and not isinstance(batch, Integral):
        raise ValueError(
            "batch must be a whole number of examples, or None for the whole support, not"
            f" {batch!r}."
        )
    if batch is not None and batch < 1:
        raise ValueError(
            f"batch must be at least 1 example, or None for the whole support, not {batch}."
        )


def network_for(
    config: PerceptronConfig | ImageNetworkConfig,
    distribution: SupervisedDistribution,
    rng: Generator,
) -> nn.Module:
    """Return the network that `config` describes, for the inputs and outputs of `distribution`;
    `rng` draws its weights.

    Raises:
        ValueError: it reads inputs of another kind.
    """
    shape = distribution.input_shape
    if isinstance(config, ImageNetworkConfig) and len(shape) == 3:
        if shape[2] <= 4 < min(shape[:2]):
            raise ValueError(
                f"Images of examples must be [channels, height, width]; those of {distribution.id},"
                f" {list(shape)}, look like channels last. Move them first (numpy.moveaxis(image,"
                " -1, 0))."
            )
        return ImageNetwork((shape[0], shape[1], shape[2]), distribution.outputs, config, rng)
    if isinstance(config, PerceptronConfig) and len(shape) == 1:
        return Perceptron(shape[0], distribution.outputs, config, rng)
    kind = (
        "An image network reads images"
        if isinstance(config, ImageNetworkConfig)
        else "A perceptron reads vectors"
    )
    raise ValueError(
        f"{kind}; the inputs of {distribution.id} have shape {shape}. Give"
        " network=ImageNetworkConfig() for images [channels, height, width] (as a flag:"
        " network:image-network-config), PerceptronConfig() for vectors, or for anything else"
        " make_network (to learn2learn, an algorithm around a network of your own)."
    )


class InitialisationLearner(ABC):
    """Meta-trains the weights that inner loops start from.

    Args:
        config: settings.
        distribution: where training tasks come from (split `train` only).
        seed: names every random stream.
        device: "cpu" or "cuda".
        make_network: a user's own network, called as make_network(distribution, rng); see
            `metarl.networks.per_task`. The seed decides what it draws, from `rng` as from the
            global generator, which is put back afterwards.
    """

    Config: ClassVar[Any]

    def __init__(
        self,
        config: Any,
        distribution: SupervisedDistribution | str,
        seed: int | tuple[int, ...] = 0,
        device: str = "cpu",
        make_network: MakeNetwork | None = None,
    ):
        check_device(device)
        name = type(self).__name__
        distribution = settled_examples(type(self), config, distribution)
        self.config = config
        self.distribution = distribution
        self.device = torch.device(device)
        self.seeds = (only_seed(name, seed),)
        self.own_parts = ("make_network",) if make_network else ()
        streams = derive_seed(self.seeds[0], "initialisation")
        self.task_seed = derive_seed(streams, "tasks")
        self.rng = torch_generator(streams, "examples", device=self.device)
        # A user's module draws its weights from the global generator
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(streams, "weights"))
            network = (make_network or partial(network_for, config.network))(
                distribution, torch_generator(streams, "weights")
            )
        if not isinstance(network, nn.Module):
            raise ValueError(f"make_network must return a torch.nn.Module, not {network!r}.")
        network = network.to(self.device, torch.float32)
        self.problem = Problem(PerTask(network), distribution.loss, distribution.loss_and_grad)
        trial = distribution.sample(2, "train", self.task_seed).to(self.device, torch.float32)
        noise = torch_generator(streams, "trial", device=self.device)
        self.problem.network.check(distribution.query(trial, noise).inputs, distribution.outputs)
        named = self.start()
        self.names = list(named)
        self.trained = list(named.values())
        self.outer_state = config.outer.start(self.trained)
        self.iteration = self.steps = 0

    def start(self) -> dict[str, Tensor]:
        """Everything that is trained, by name, as it begins: the network's weights come first."""
        return dict(zip(self.problem.network.names, self.problem.network.weights(), strict=True))

    @property
    def initial(self) -> list[Tensor]:
        """The weights that inner loops start from, one tensor a parameter."""
        return self.trained[: len(self.problem.network.names)]

    @abstractmethod
    def meta_gradient(self, support: Examples, query: Examples) -> MetaGradient:
        """Return the algorithm.

        What the examples of `config.tasks` tasks say of everything that is trained.
        """

    @abstractmethod
    def inner_optimizer(self) -> Stepper:
        """Return what takes the inner steps when the learner is scored."""

    def update(self) -> Metrics:
        """Return one outer step on fresh tasks.

        "steps" are gradients of single tasks so far; "return" is the negative loss at which each
        task's last one was taken.
        """
        config = self.config
        distribution = self.distribution
        tasks = distribution.sample(
            config.tasks, "train", derive_seed(self.task_seed, self.iteration)
        ).to(self.device, torch.float32)
        support = distribution.support(tasks, self.rng)
        found = self.meta_gradient(support, distribution.query(tasks, self.rng))
        check_meta_gradient(found, f"in iteration {self.iteration + 1}")
        scale = 1 - self.iteration / config.iterations if config.anneal else 1.0
        self.trained, self.outer_state = config.outer.step(
            self.trained, found.gradients, self.outer_state, scale
        )
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

    def adapter(
        self, optimizer: Stepper | None = None, batch: int | None = None
    ) -> GradientAdapter:
        """Return what adapts to tasks from the weights trained so far, which it copies.

        Args:
            optimizer: takes the inner steps; the learner's own if left out.
            batch: examples in a step; the whole support if left out.
        """
        check_weights(self.weights())
        return GradientAdapter(
            self.problem,
            [weight.clone() for weight in self.initial],
            optimizer or self.inner_optimizer(),
            batch,
        )

    def weights(self, seed_index: int = 0) -> dict[str, Any]:
        """Everything that is trained."""
        return {
            "trained": {
                name: tensor.clone() for name, tensor in zip(self.names, self.trained, strict=True)
            }
        }

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over what another has trained.

        Raises:
            ValueError: it was trained with another network or algorithm.
        """
        check_weights(weights)
        given = weights["trained"]
        shapes = {
            name: tuple(tensor.shape) for name, tensor in zip(self.names, self.trained, strict=True)
        }
        if {name: tuple(tensor.shape) for name, tensor in given.items()} != shapes:
            raise ValueError(
                f"These weights are of another network or algorithm: {', '.join(given)} rather than"
                f" {', '.join(self.names)}."
            )
        self.trained = [
            given[name].to(self.device, torch.float32, copy=True) for name in self.names
        ]

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
