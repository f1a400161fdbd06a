"""A gated recurrent unit (Cho et al. 2014, with PyTorch's placement of the reset gate) and a fast pass over whole sequences.

`torch.nn.GRU` runs op by op under autograd on a CPU. Here the product with the inputs is taken for all steps at once, recurrent
products accumulate into it, pointwise parts work in place on contiguous gates, the backward pass is written out, and weight
gradients come from products over all steps. A leading dimension of stacked weights (one network a seed) runs through the same code.
"""

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

from metarl.networks.layers import orthogonal

__all__ = ["GRU"]


class GRU(nn.Module):
    """One recurrent layer; gates are ordered reset, update, candidate.

    Args:
        inputs: F, size of a step's features.
        units: H, size of the hidden vector.
        rng: draws the initial weights, orthogonal recurrent ones as in Duan et al. 2016.
    """

    def __init__(self, inputs: int, units: int, rng: Generator):
        super().__init__()
        self.size = units
        self.weight_input = nn.Parameter(torch.empty(3, inputs, units).normal_(0, 1 / math.sqrt(max(1, inputs)), generator=rng))
        self.weight_hidden = nn.Parameter(torch.stack([orthogonal(units, units, rng).detach() for _ in range(3)]))
        self.bias = nn.Parameter(torch.zeros(3, units))
        self.bias_hidden = nn.Parameter(torch.zeros(units))  # of the candidate's recurrent part, inside the reset gate

    def initial_state(self, batch_size: int) -> Tensor:
        """Zeros [B, H]."""
        return self.bias.new_zeros(batch_size, self.size)

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One step: features [B, F] and hidden vectors [B, H] give (output [B, H], hidden vectors [B, H])."""
        reset, update = (
            (torch.addmm(self.bias[g], features, self.weight_input[g]) + state @ self.weight_hidden[g]).sigmoid() for g in (0, 1)
        )
        recurrent = torch.addmm(self.bias_hidden, state, self.weight_hidden[2])
        candidate = tanh(torch.addcmul(torch.addmm(self.bias[2], features, self.weight_input[2]), reset, recurrent))
        state = torch.lerp(candidate, state, update)
        return state, state

    def sequence(self, features: Tensor) -> Tensor:
        """Whole sequences from an empty memory: features [T, B, F] give outputs [T, B, H]."""
        return GRUSequence.apply(features, self.weight_input, self.weight_hidden, self.bias, self.bias_hidden)[0]


class GRUSequence(torch.autograd.Function):
    """Hidden vectors [T, *S, B, H] from features [T, *S, B, F] and weights [*S, 3, F, H], [*S, 3, H, H], [*S, 3, H], [*S, H].

    *S is nothing, or one dimension of stacked networks. Gates lead ([3, T, *S, B, H]), so that each is one contiguous block.
    """

    @staticmethod
    def forward(
        features: Tensor, weight_input: Tensor, weight_hidden: Tensor, bias: Tensor, bias_hidden: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        length, units = len(features), bias.shape[-1]
        shape = (length, *features.shape[1:-1], units)
        gates = features.new_empty((3, *shape))  # the inputs' products first, then reset, update and candidate
        for g in range(3):
            if features.dim() == 3:
                torch.addmm(bias[g], features.flatten(0, 1), weight_input[g], out=gates[g].flatten(0, 1))
            else:
                torch.add(torch.matmul(features, weight_input[..., g, :, :]), bias[..., g, None, :], out=gates[g])
        hidden, recurrent = features.new_empty(shape), features.new_empty(shape)  # recurrent: the candidate's, before the reset gate
        weights = [weight_hidden[..., g, :, :].contiguous() for g in range(3)]
        recurrent[:] = bias_hidden[..., None, :]
        for t in range(length):
            reset, update, candidate = gates[0, t], gates[1, t], gates[2, t]
            if t > 0:  # before, the memory is empty
                accumulate(reset, hidden[t - 1], weights[0])
                accumulate(update, hidden[t - 1], weights[1])
                accumulate(recurrent[t], hidden[t - 1], weights[2])
            gates[:2, t].sigmoid_()
            tanh_(candidate.addcmul_(reset, recurrent[t]))
            if t == 0:
                torch.addcmul(candidate, candidate, update, value=-1, out=hidden[0])
            else:
                torch.lerp(candidate, hidden[t - 1], update, out=hidden[t])
        return hidden, gates, recurrent

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
        features, weight_input, weight_hidden, _, _ = inputs
        hidden, gates, recurrent = output
        ctx.mark_non_differentiable(gates, recurrent)
        ctx.save_for_backward(features, weight_input, weight_hidden, hidden, gates, recurrent)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor, *_: Any) -> tuple[Any, ...]:
        features, weight_input, weight_hidden, hidden, gates, recurrent = ctx.saved_tensors
        length = len(hidden)
        grads = torch.empty_like(gates)  # with respect to the gates before their nonlinearities
        grad_recurrent = torch.empty_like(recurrent)
        weights = [weight_hidden[..., g, :, :].transpose(-1, -2).contiguous() for g in range(3)]
        grad, scratch = torch.zeros_like(hidden[0]), torch.empty_like(hidden[0])
        for t in reversed(range(length)):
            reset, update, candidate = gates[0, t], gates[1, t], gates[2, t]
            grad.add_(grad_output[t])
            torch.addcmul(grad, grad, update, value=-1, out=scratch)
            torch.ops.aten.tanh_backward.grad_input(scratch, candidate, grad_input=grads[2, t])
            torch.mul(grads[2, t], recurrent[t], out=scratch)
            torch.ops.aten.sigmoid_backward.grad_input(scratch, reset, grad_input=grads[0, t])
            torch.mul(grads[2, t], reset, out=grad_recurrent[t])
            if t == 0:
                torch.mul(grad, candidate, out=scratch).neg_()
            else:
                torch.sub(hidden[t - 1], candidate, out=scratch).mul_(grad)
            torch.ops.aten.sigmoid_backward.grad_input(scratch, update, grad_input=grads[1, t])
            if t > 0:
                grad.mul_(update)
                accumulate(grad, grads[0, t], weights[0])
                accumulate(grad, grads[1, t], weights[1])
                accumulate(grad, grad_recurrent[t], weights[2])
        products = (grads[0, 1:], grads[1, 1:], grad_recurrent[1:])
        grad_hidden = torch.stack([over_steps(hidden[:-1], product) for product in products], -3)
        ones = features.new_ones((*features.shape[:-1], 1))
        inputs = torch.cat([features, ones], -1)  # the biases' gradients fall out of the same product
        grad_input = torch.stack([over_steps(inputs, grads[g]) for g in range(3)], -3)
        grad_bias_hidden = over_steps(ones, grad_recurrent)[..., 0, :]
        grad_features = None
        if ctx.needs_input_grad[0]:
            grad_features = sum(torch.matmul(grads[g], weight_input[..., g, :, :].transpose(-1, -2)) for g in range(3))
        return grad_features, grad_input[..., :-1, :], grad_hidden, grad_input[..., -1, :], grad_bias_hidden

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *arguments: Tensor) -> tuple[tuple[Tensor, ...], tuple[int, int, int]]:
        """Stacked networks: the same pass with a leading dimension of weights."""

        def stacked(tensor: Tensor, dim: int | None, place: int) -> Tensor:
            if dim is not None:
                return tensor.movedim(dim, place)
            return tensor.unsqueeze(place).expand(*tensor.shape[:place], info.batch_size, *tensor.shape[place:])

        places = (1, 0, 0, 0, 0)
        return GRUSequence.apply(*(stacked(*each) for each in zip(arguments, in_dims, places, strict=True))), (1, 2, 1)


def over_steps(left: Tensor, right: Tensor) -> Tensor:
    """The sum over steps and rows of left^T right: [T, *S, B, I] and [T, *S, B, H] give [*S, I, H]."""
    if left.dim() == 3:
        return left.flatten(0, 1).T @ right.flatten(0, 1)
    return torch.matmul(left.transpose(-1, -2), right).sum(0)


def accumulate(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right in place, within the product itself."""
    if total.dim() == 2:
        total.addmm_(left, right)
    else:
        total.baddbmm_(left, right)


def tanh(value: Tensor) -> Tensor:
    """tanh; on a CPU through the sigmoid, whose vectorised form is about four times faster."""
    return torch.rsub((2 * value).sigmoid(), -1, alpha=-2) if value.device.type == "cpu" else value.tanh()


def tanh_(value: Tensor) -> Tensor:
    """tanh in place."""
    return value.mul_(2).sigmoid_().mul_(2).sub_(1) if value.device.type == "cpu" else value.tanh_()
