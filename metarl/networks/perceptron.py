"""A multilayer perceptron whose weights may differ from task to task."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from metarl.core.arguments import check_fields
from metarl.networks.kernels.tanh import tanh_in_place
from metarl.networks.layers import unset_linear

__all__ = ["Perceptron", "PerceptronConfig", "uniform_linear"]


@dataclass(frozen=True)
class PerceptronConfig:
    """The shape of a perceptron.

    Attributes:
        hidden: units of each hidden layer.
        activation: after each hidden layer.
    """

    hidden: tuple[int, ...] = (64, 64)
    activation: Literal["tanh", "relu"] = "tanh"

    def __post_init__(self) -> None:
        check_fields(self)
        if any(size < 1 for size in self.hidden):
            raise ValueError(f"Hidden layers need at least one unit each, not {self.hidden}.")
        if self.activation not in ("tanh", "relu"):
            raise ValueError(f"activation must be 'tanh' or 'relu', not {self.activation!r}.")


class Perceptron(nn.Module):
    """Linear layers with an activation between them: [m, inputs] give [m, outputs].

    Args:
        inputs, outputs: numbers an example has, and gets. config: the layers between.
        rng: draws the initial weights.
    """

    def __init__(self, inputs: int, outputs: int, config: PerceptronConfig, rng: Generator):
        super().__init__()
        sizes = (inputs, *config.hidden, outputs)
        self.layers = nn.ModuleList(uniform_linear(*pair, rng) for pair in pairwise(sizes))
        self.activation = torch.tanh if config.activation == "tanh" else torch.relu

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., inputs] give [..., outputs]."""
        for layer in self.layers[:-1]:
            inputs = self.activation(layer(inputs))
        outputs: Tensor = self.layers[-1](inputs)
        return outputs

    def stacked(self, weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Return the same with weights [n, ...] for inputs [n, m, inputs]."""
        for i in range(0, len(weights), 2):
            inputs = _layer(
                inputs if i == 0 else self.activated(inputs), weights[i], weights[i + 1]
            )
        return inputs

    def activated(self, inputs: Tensor) -> Tensor:
        """Return the activation of a layer's sums, which are no longer needed.

        It takes their place, unless gradients are recorded.
        """
        if inputs.requires_grad:
            return self.activation(inputs)
        return tanh_in_place(inputs) if self.activation is torch.tanh else torch.relu_(inputs)

    @torch.no_grad()
    def stacked_gradients(
        self, weights: Sequence[Tensor], inputs: Tensor, pull: Callable[[Tensor], Tensor]
    ) -> list[Tensor]:
        """Return the gradients [n, ...] of a loss by the weights, where `pull` gives the loss's
        derivative by the outputs for the outputs.

        They are autograd's, without its bookkeeping, which costs networks this small more than
        their products.
        """
        # what each layer reads
        read = [inputs]
        last = len(weights) - 2
        for i in range(0, last, 2):
            read.append(self.activated(_layer(read[-1], weights[i], weights[i + 1])))
        back = pull(_layer(read[-1], weights[last], weights[last + 1]))
        gradients = list[Tensor]()
        for i in range(last, -1, -2):
            seen = read[i // 2]
            by_weight = (
                (back * seen).sum(1)[..., None]
                if seen.shape[-1] == 1
                else torch.bmm(back.transpose(1, 2), seen)
            )
            gradients[:0] = [by_weight, back.sum(1)]
            if i:
                back = back * weights[i] if back.shape[-1] == 1 else torch.bmm(back, weights[i])
                if self.activation is torch.tanh:
                    torch.ops.aten.tanh_backward.grad_input(back, seen, grad_input=back)
                else:
                    torch.ops.aten.threshold_backward.grad_input(back, seen, 0, grad_input=back)
        return gradients


def _layer(inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return a linear layer of each task.

    Inputs [n, m, I], weights [n, O, I] and biases [n, O] give [n, m, O].
    """
    # Numbers rather than vectors: a product by entries takes a fifth of the time
    if inputs.shape[-1] == 1:
        return torch.addcmul(bias[:, None], inputs, weight.transpose(1, 2))
    return torch.baddbmm(bias[:, None], inputs, weight.transpose(1, 2))


def uniform_linear(inputs: int, outputs: int, rng: Generator) -> nn.Linear:
    """Return a linear layer with weights and biases uniform within 1 / sqrt(inputs), as PyTorch
    draws them.
    """
    layer = unset_linear(inputs, outputs)
    # Without inputs, where an observation never changes, there are biases all the same.
    bound = 1 / math.sqrt(max(1, inputs))
    nn.init.uniform_(layer.weight, -bound, bound, generator=rng)
    nn.init.uniform_(layer.bias, -bound, bound, generator=rng)
    return layer
