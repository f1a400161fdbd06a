"""One network with weights of its own for each of n tasks, computed for all tasks at once.

Weights are a list of tensors [n, ...], one entry a parameter that is trained; frozen ones
(`requires_grad_(False)`) stay as they are, the same for all tasks. A network may have a method
`stacked(weights, inputs)`, which is then called; small networks are fastest so (`torch.baddbmm`).
Any other module goes through `torch.func.vmap`. A further method `stacked_gradients(weights,
inputs, pull)` gives gradients without autograd, where they needn't be differentiated again. Both
methods are given all parameters' weights in order, frozen ones included.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from metarl.core.seeding import global_states

__all__ = ["PerTask"]


@runtime_checkable
class StacksTasks(Protocol):
    """A network that computes all tasks at once by itself."""

    def stacked(self, weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Return outputs [n, m, *output] for weights [n, ...] and inputs [n, m, *input]."""
        ...


@runtime_checkable
class StacksGradients(Protocol):
    """A network that knows its gradients without autograd."""

    def stacked_gradients(
        self, weights: Sequence[Tensor], inputs: Tensor, pull: Callable[[Tensor], Tensor]
    ) -> list[Tensor]:
        """Return the gradients [n, ...] by each of `weights`.

        `pull` maps outputs [n, m, *output] to the loss's derivatives by them.
        """
        ...


class PerTask:
    """`network` as a function of weights and inputs.

    Args:
        network: takes a batch [m, *input] and gives [m, *output]. Its own weights are where tasks
            start from.

    Raises:
        ValueError: nothing is trained, or a layer can't be stacked: it keeps running statistics,
            which tasks would mix up, draws numbers from the global generator, or is a recurrent
            layer of PyTorch's.
    """

    def __init__(self, network: nn.Module):
        self.network = network
        self._stacked = network.stacked if isinstance(network, StacksTasks) else None
        for name, module in network.named_modules():
            _check_layer(name, module, through_vmap=self._stacked is None)
        parameters = dict(network.named_parameters())
        self.names = [name for name, parameter in parameters.items() if parameter.requires_grad]
        if not parameters:
            raise ValueError(
                f"{type(network).__name__} has no parameters: there is nothing to train."
            )
        if not self.names:
            raise ValueError(
                f"All parameters of {type(network).__name__} are frozen: there is nothing to train."
                " Call requires_grad_() on some of them."
            )
        self._frozen = len(self.names) < len(parameters)
        place = {id(parameters[name]): i for i, name in enumerate(self.names)}
        # Where each weight goes: a parameter may be in several layers, a layer under several names
        self._slots = {
            f"{prefix}.{name}" if prefix else name: place[id(parameter)]
            for prefix, module in network.named_modules()
            for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False)
            if id(parameter) in place
        }
        self.gradients: Any = None
        if isinstance(network, StacksGradients):
            self.gradients = self._trained_gradients if self._frozen else network.stacked_gradients

    def weights(self) -> list[Tensor]:
        """Return a copy of the network's own weights, one tensor a parameter that is trained."""
        return [
            parameter.detach().clone()
            for parameter in self.network.parameters()
            if parameter.requires_grad
        ]

    def __call__(self, weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Weights [n, ...] and inputs [n, m, *input] give outputs [n, m, *output]."""
        if self._stacked is not None:
            outputs: Tensor = self._stacked(self._all(weights) if self._frozen else weights, inputs)
            return outputs
        return vmap(self._one)(list(weights), inputs)

    def _one(self, weights: list[Tensor], inputs: Tensor) -> Tensor:
        own = {name: weights[i] for name, i in self._slots.items()}
        # The slots hold ties already
        outputs: Tensor = functional_call(self.network, own, (inputs,), tie_weights=False)
        return outputs

    def _all(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """Return the weights [n, ...] of all parameters, from those of the trained ones."""
        given = iter(weights)
        n = len(weights[0])
        return [
            next(given) if p.requires_grad else p.expand(n, *p.shape)
            for p in self.network.parameters()
        ]

    def _trained_gradients(
        self, weights: Sequence[Tensor], inputs: Tensor, pull: Callable[[Tensor], Tensor]
    ) -> list[Tensor]:
        direct: Any = self.network.stacked_gradients
        every = direct(self._all(weights), inputs, pull)
        return [
            g
            for g, parameter in zip(every, self.network.parameters(), strict=True)
            if parameter.requires_grad
        ]

    def check(self, inputs: Tensor, outputs: int) -> None:
        """Try a copy of the network on inputs [n, m, *input].

        Raises:
            ValueError: it doesn't take them, it gives something else than [n, m, outputs], or it
                changes its buffers.
        """
        name = type(self.network).__name__
        try:
            trial = PerTask(copy.deepcopy(self.network))
        except (RuntimeError, TypeError) as error:
            raise ValueError(
                f"{name} can't be copied ({error}); keep what it computes out of its attributes."
            ) from error
        before = global_states()
        try:
            with torch.no_grad(), torch.random.fork_rng():
                # Alone first: what vmap says of a changed buffer helps nobody
                if self._stacked is None:
                    trial.network(inputs[0])
                    self._check_buffers(trial.network)
                given = trial(
                    [weight.expand(len(inputs), *weight.shape) for weight in trial.weights()],
                    inputs,
                )
                draws = global_states() != before
        except (RuntimeError, IndexError) as error:
            hint = " Draw no numbers in forward." if "random operation" in str(error) else ""
            raise ValueError(
                f"{name} can't compute {len(inputs)} tasks' inputs {tuple(inputs.shape)} at once:"
                f" {error}{hint}"
            ) from error
        self._check_buffers(trial.network)
        if draws:
            raise ValueError(
                f"{name} draws from a global generator, so that a seed wouldn't decide what is"
                " learned. Draw no numbers in forward."
            )
        wanted = (*inputs.shape[:2], outputs)
        if tuple(given.shape) != wanted:
            raise ValueError(
                f"{name} gives {tuple(given.shape)} for the inputs of {len(inputs)} tasks, not"
                f" {wanted}; change its last layer."
            )

    def _check_buffers(self, tried: nn.Module) -> None:
        after = dict(tried.named_buffers())
        for key, buffer in self.network.named_buffers():
            if not _equal(buffer, after[key]):
                raise ValueError(
                    f"{type(self.network).__name__} changes its buffer {key!r} when it computes,"
                    " which can't be stacked over tasks; use a layer without."
                )


def _check_layer(name: str, module: nn.Module, through_vmap: bool) -> None:
    layer = f"The layer {name!r} ({type(module).__name__})" if name else type(module).__name__
    if getattr(module, "track_running_stats", False):
        raise ValueError(
            f"{layer} keeps running statistics, which can't be stacked over tasks; make it with"
            " track_running_stats=False."
        )
    if through_vmap and isinstance(module, nn.RNNBase | nn.LSTMCell):
        raise ValueError(
            f"{layer} can't be stacked over tasks (torch.func.vmap has no rule for it); write the"
            " recurrence out with linear layers, one step of the sequence at a time, or use"
            " nn.RNNCell or nn.GRUCell."
        )
    if (
        through_vmap
        and module.training
        and isinstance(module, nn.modules.dropout._DropoutNd)
        and module.p > 0
    ):
        raise ValueError(
            f"{layer} draws from the global generator, so that a seed wouldn't decide what is"
            " learned; set its p to 0, or call eval() on the network."
        )


def _equal(buffer: Tensor, after: Tensor) -> bool:
    try:
        return torch.equal(buffer, after)
    except RuntimeError:  # a tensor of vmap's was left there
        return False
