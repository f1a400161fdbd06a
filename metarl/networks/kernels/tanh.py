"""The hyperbolic tangent by way of the logistic function: tanh x = 2 / (1 + exp(-2 x)) - 1.

On a CPU, PyTorch's own tanh takes five times as long, longer than the products of a layer of 64
units. In float32 this one is off by 2e-7 at most, its own by 3e-8; the sums of products that a
layer adds up are rounded as coarsely.
"""

from torch import Tensor

__all__ = ["tanh_in_place"]


def tanh_in_place(inputs: Tensor) -> Tensor:
    """Return the hyperbolic tangent of every entry, written in the entry's place."""
    if inputs.device.type != "cpu":
        return inputs.tanh_()
    return inputs.mul_(2).sigmoid_().mul_(2).sub_(1)
