"""One network with weights of its own for each of n tasks, computed for all tasks at once.

Weights are a list of tensors [n, ...], one entry a parameter. A network may have a method `stacked(weights, inputs)`, which is then
called; small networks are fastest so (`torch.baddbmm`). Any other module goes through `torch.func.vmap`. A further method
`stacked_gradients(weights, inputs, pull)` gives gradients without autograd, where they needn't be differentiated again.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

__all__ = ["PerTask"]


class PerTask:
    """`network` as a function of weights and inputs.

    Args:
        network: takes a batch [m, *input] and gives [m, *output]. Its own weights are where tasks start from.

    Raises:
        ValueError: a layer keeps running statistics, which tasks would mix up.
    """

    def __init__(self, network: nn.Module):
        for name, module in network.named_modules():
            if getattr(module, "track_running_stats", False):
                raise ValueError(
                    f"The layer {name!r} ({type(module).__name__}) keeps running statistics, which can't be stacked over tasks; "
                    "make it with track_running_stats=False."
                )
        self.network = network
        self.names = [name for name, _ in network.named_parameters()]
        if not self.names:
            raise ValueError(f"{type(network).__name__} has no parameters: there is nothing to train.")
        self._stacked: Any = getattr(network, "stacked", None)
        self.gradients: Any = getattr(network, "stacked_gradients", None)

    def weights(self) -> list[Tensor]:
        """A copy of the network's own weights, one tensor a parameter."""
        return [parameter.detach().clone() for parameter in self.network.parameters()]

    def __call__(self, weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Weights [n, ...] and inputs [n, m, *input] give outputs [n, m, *output]."""
        if self._stacked is not None:
            outputs: Tensor = self._stacked(weights, inputs)
            return outputs
        return vmap(self._one)(list(weights), inputs)

    def _one(self, weights: list[Tensor], inputs: Tensor) -> Tensor:
        outputs: Tensor = functional_call(self.network, dict(zip(self.names, weights, strict=True)), (inputs,))
        return outputs

    def check(self, inputs: Tensor, outputs: int) -> None:
        """Try the network on inputs [n, m, *input].

        Raises:
            ValueError: it doesn't take them, it gives something else than [n, m, outputs], or it changes its buffers.
        """
        name = type(self.network).__name__
        before = {key: buffer.clone() for key, buffer in self.network.named_buffers()}
        try:
            with torch.no_grad():
                given = self([weight.expand(len(inputs), *weight.shape) for weight in self.weights()], inputs)
        except (RuntimeError, ValueError, IndexError) as error:
            raise ValueError(f"{name} can't compute {len(inputs)} tasks' inputs {tuple(inputs.shape)} at once: {error}") from error
        wanted = (*inputs.shape[:2], outputs)
        if tuple(given.shape) != wanted:
            raise ValueError(
                f"{name} gives {tuple(given.shape)} for the inputs of {len(inputs)} tasks, not {wanted}; change its last layer."
            )
        for key, buffer in self.network.named_buffers():
            if not torch.equal(before[key], buffer):
                raise ValueError(
                    f"{name} changes its buffer {key!r} when it computes, which can't be stacked over tasks; use a layer without."
                )
