"""A gated recurrent unit (Cho et al. 2014, with PyTorch's placement of the reset gate) and a fast
pass over whole sequences.

`torch.nn.GRU` runs op by op under autograd on a CPU. Here the product with the inputs is taken for
all steps at once, recurrent products accumulate into it, pointwise parts work in place on
contiguous gates, the backward pass is written out, and weight gradients come from products over all
steps. A leading dimension of stacked weights (one network a seed) runs through the same code.
"""

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

from metarl.networks.layers import orthogonal

__all__ = ["GRU"]

MINUS_ONE = torch.tensor(-1.0)  # what torch.add takes as its first argument


class GRU(nn.Module):
    """One recurrent layer; gates are ordered reset, update, candidate.

    Args:
        inputs: F, size of a step's features.
        hidden_size: H, size of the hidden vector.
        rng: draws the initial weights, orthogonal recurrent ones as in Duan et al. 2016.
    """

    max_steps: int | None = None  # it remembers for as long as one likes

    def __init__(self, inputs: int, hidden_size: int, rng: Generator):
        super().__init__()
        self.size = hidden_size
        self.weight_input = nn.Parameter(
            torch.empty(3, inputs, hidden_size).normal_(
                0, 1 / math.sqrt(max(1, inputs)), generator=rng
            )
        )
        self.weight_hidden = nn.Parameter(
            torch.stack([orthogonal(hidden_size, hidden_size, rng).detach() for _ in range(3)])
        )
        self.bias = nn.Parameter(torch.zeros(3, hidden_size))
        # Of the candidate's recurrent part, inside the reset gate
        self.bias_hidden = nn.Parameter(torch.zeros(hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        """Zeros [B, H]."""
        return self.bias.new_zeros(batch_size, self.size)

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return one step.

        Features [B, F] and hidden vectors [B, H] give (output [B, H], hidden vectors [B, H]).
        """
        reset, update = (
            torch.addmm(self.bias[g], features, self.weight_input[g])
            .addmm_(state, self.weight_hidden[g])
            .sigmoid_()
            for g in (0, 1)
        )
        recurrent = torch.addmm(self.bias_hidden, state, self.weight_hidden[2])
        doubled = torch.addmm(2 * self.bias[2], features, 2 * self.weight_input[2]).addcmul_(
            reset, recurrent, value=2
        )
        candidate = torch.add(MINUS_ONE, doubled.sigmoid_(), alpha=2)
        state = torch.lerp(candidate, state, update)
        return state, state

    def sequence(self, features: Tensor) -> Tensor:
        """Whole sequences from an empty memory: features [T, B, F] give outputs [T, B, H]."""
        return GRUSequence.apply(
            features, self.weight_input, self.weight_hidden, self.bias, self.bias_hidden
        )[0]


class GRUSequence(torch.autograd.Function):
    """Hidden vectors [T, *S, B, H] from features [T, *S, B, F] and weights [*S, 3, F, H], [*S, 3,
    H, H], [*S, 3, H], [*S, H].

    *S is nothing, or one dimension of stacked networks. Gates lead ([3, T, *S, B, H]), so that each
    is one contiguous block.
    """

    @staticmethod
    def forward(
        features: Tensor,
        weight_input: Tensor,
        weight_hidden: Tensor,
        bias: Tensor,
        bias_hidden: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        shape = (*features.shape[:-1], bias.shape[-1])
        # The inputs' products first, then reset, update and candidate
        gates = features.new_empty((3, *shape))
        features = with_one(features)
        weight_input = torch.cat([weight_input, bias[..., None, :]], -2)
        for g, scale in enumerate((1, 1, 2)):  # the candidate's is doubled, see below
            torch.matmul(features, scale * weight_input[..., g, :, :], out=gates[g])
        # recurrent: the candidate's, before the reset gate
        hidden = features.new_empty(shape)
        recurrent = features.new_empty(shape)
        weights = [weight_hidden[..., g, :, :].contiguous() for g in range(3)]
        olds = (None, *hidden.unbind()[:-1])
        for step in zip(gates.unbind(1), recurrent.unbind(), olds, hidden.unbind(), strict=True):
            advance(*step, weights, bias_hidden)
        return hidden, gates, recurrent

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor, Tensor]
    ) -> None:
        features, weight_input, weight_hidden, _, _ = inputs
        hidden, gates, recurrent = output
        ctx.mark_non_differentiable(gates, recurrent)
        ctx.set_materialize_grads(False)  # nobody needs zeros as gradients of the gates
        ctx.save_for_backward(features, weight_input, weight_hidden, hidden, gates, recurrent)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None, *_: Any) -> tuple[Any, ...]:
        if grad_output is None:
            return (None,) * 5
        features, weight_input, weight_hidden, hidden, gates, recurrent = ctx.saved_tensors
        grads = torch.empty_like(gates)  # with respect to the gates before their nonlinearities
        grad_recurrent = torch.empty_like(recurrent)
        weights = [weight_hidden[..., g, :, :].transpose(-1, -2).contiguous() for g in range(3)]
        grad = grad_output[-1].clone()
        befores = (None, *grad_output.unbind()[:-1])
        parts = (
            gates.unbind(1),
            recurrent.unbind(),
            hidden.unbind(),
            grads.unbind(1),
            grad_recurrent.unbind(),
            befores,
        )
        for gate, inner, new, grad_gate, grad_inner, before in reversed(
            list(zip(*parts, strict=True))
        ):
            retrace(grad, gate, inner, new, grad_gate, grad_inner)
            if before is not None:
                torch.addcmul(before, grad, gate[1], out=grad)
                for part, weight in zip(
                    (grad_gate[0], grad_gate[1], grad_inner), weights, strict=True
                ):
                    accumulate(grad, part, weight)
        products = (grads[0, 1:], grads[1, 1:], grad_recurrent[1:])
        grad_hidden = torch.stack([over_steps(hidden[:-1], product) for product in products], -3)
        inputs = with_one(features)
        grad_input = torch.stack([over_steps(inputs, grads[g]) for g in range(3)], -3)
        grad_features = None
        if ctx.needs_input_grad[0]:
            grad_features = sum(
                torch.matmul(grads[g], weight_input[..., g, :, :].transpose(-1, -2))
                for g in range(3)
            )
        return (
            grad_features,
            grad_input[..., :-1, :],
            grad_hidden,
            grad_input[..., -1, :],
            grad_recurrent.sum((0, -2)),
        )

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *arguments: Tensor
    ) -> tuple[tuple[Tensor, ...], tuple[int, int, int]]:
        """Stacked networks: the same pass with a leading dimension of weights."""

        def stacked(tensor: Tensor, dim: int | None, place: int) -> Tensor:
            if dim is not None:
                return tensor.movedim(dim, place)
            return tensor.unsqueeze(place).expand(
                *tensor.shape[:place], info.batch_size, *tensor.shape[place:]
            )

        places = (1, 0, 0, 0, 0)
        return GRUSequence.apply(
            *(stacked(*each) for each in zip(arguments, in_dims, places, strict=True))
        ), (1, 2, 1)


def advance(
    gates: Tensor,
    inner: Tensor,
    old: Tensor | None,
    new: Tensor,
    weights: list[Tensor],
    bias_hidden: Tensor,
) -> None:
    """One step, in place.

    `gates` [3, *S, B, H] hold products with the inputs and get their values, `inner` and `new` are
    filled in.
    """
    reset, update, candidate = gates.unbind()
    inner[:] = bias_hidden[..., None, :]
    if old is not None:  # before the first step the memory is empty
        accumulate(reset, old, weights[0])
        accumulate(update, old, weights[1])
        accumulate(inner, old, weights[2])
    gates[:2].sigmoid_()
    candidate.addcmul_(reset, inner, value=2).sigmoid_()
    # tanh(a) = 2 sigmoid(2 a) - 1, in fewer passes over memory
    torch.add(MINUS_ONE, candidate, alpha=2, out=candidate)
    if old is not None:
        torch.lerp(candidate, old, update, out=new)
    else:
        torch.addcmul(candidate, candidate, update, value=-1, out=new)


def retrace(
    grad: Tensor, gates: Tensor, inner: Tensor, new: Tensor, grad_gates: Tensor, grad_inner: Tensor
) -> None:
    """One step backwards.

    From the gradient by `new`, fill in those by the gates before their nonlinearities and by
    `inner`.
    """
    reset, update, candidate = gates.unbind()
    grad_reset, grad_update, grad_candidate = grad_gates.unbind()
    kept = torch.addcmul(grad, grad, update, value=-1)
    torch.ops.aten.tanh_backward.grad_input(kept, candidate, grad_input=grad_candidate)
    torch.mul(grad_candidate, reset, out=grad_inner)
    torch.ops.aten.sigmoid_backward.grad_input(grad_candidate * inner, reset, grad_input=grad_reset)
    # New - candidate = update * (old - candidate)
    torch.sub(new, candidate, out=grad_update).mul_(kept)


def with_one(features: Tensor) -> Tensor:
    """[..., F + 1]: `features` and a one, so that biases ride along in the products."""
    return torch.cat([features, features.new_ones((*features.shape[:-1], 1))], -1)


def over_steps(left: Tensor, right: Tensor) -> Tensor:
    """Return the sum over steps and rows of left^T right.

    [T, *S, B, I] and [T, *S, B, H] give [*S, I, H].
    """
    # A few blocks of rows: threads share them better than one long, thin product
    if left.dim() == 3:
        blocks = math.gcd(left.shape[0] * left.shape[1], 4)
        left, right = (part.reshape(blocks, -1, part.shape[-1]) for part in (left, right))
    return torch.matmul(left.transpose(-1, -2), right).sum(0)


def accumulate(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right in place, within the product itself."""
    if total.dim() == 2:
        total.addmm_(left, right)
    else:
        total.baddbmm_(left, right)
