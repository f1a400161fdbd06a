"""A policy without memory whose weights may differ from task to task.

A perceptron, and for boxes deviations that no input changes.
"""

from collections.abc import Callable, Sequence

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn

from metarl.networks.actions import action_distribution
from metarl.networks.perceptron import Perceptron, PerceptronConfig

__all__ = ["PolicyPerceptron"]


class PolicyPerceptron(nn.Module):
    """Features [m, F] give the parameters [m, P] of action distributions, all about equally likely
    at first.

    Args:
        features: F. action_space: of one task. config: the layers.
        rng: draws the initial weights.
        log_std: logarithm of a box's deviations at first, in units of half the box.
    """

    def __init__(
        self,
        features: int,
        action_space: gym.Space,
        config: PerceptronConfig,
        rng: Generator,
        log_std: float = 0.0,
    ):
        super().__init__()
        distribution = action_distribution(action_space)
        box = isinstance(action_space, gym.spaces.Box)
        outputs = distribution.num_parameters // 2 if box else distribution.num_parameters
        self.perceptron = Perceptron(features, outputs, config, rng)
        self.log_std = nn.Parameter(torch.full((outputs,), log_std)) if box else None
        with torch.no_grad():
            for parameter in self.perceptron.layers[-1].parameters():
                parameter.mul_(0.01)

    def forward(self, features: Tensor) -> Tensor:
        """[..., F] give [..., P]."""
        outputs: Tensor = self.perceptron(features)
        return (
            outputs
            if self.log_std is None
            else torch.cat([outputs, self.log_std.expand_as(outputs)], -1)
        )

    def stacked(self, weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Return the same with weights [n, ...] for inputs [n, m, F]."""
        if self.log_std is None:
            return self.perceptron.stacked(weights, inputs)
        log_std, layers = self.split(weights)
        outputs = self.perceptron.stacked(layers, inputs)
        return torch.cat([outputs, log_std[:, None].expand_as(outputs)], -1)

    def stacked_gradients(
        self, weights: Sequence[Tensor], inputs: Tensor, pull: Callable[[Tensor], Tensor]
    ) -> list[Tensor]:
        """See `Perceptron.stacked_gradients`."""
        if self.log_std is None:
            return self.perceptron.stacked_gradients(weights, inputs, pull)
        log_std, layers = self.split(weights)
        by_log_std = torch.empty(0)

        def pull_mean(outputs: Tensor) -> Tensor:
            nonlocal by_log_std
            back, spread = pull(
                torch.cat([outputs, log_std[:, None].expand_as(outputs)], -1)
            ).chunk(2, -1)
            by_log_std = spread.sum(1)
            return back

        gradients = self.perceptron.stacked_gradients(layers, inputs, pull_mean)
        return [by_log_std, *gradients]

    @staticmethod
    def split(weights: Sequence[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
        """Deviations, and the layers' weights.

        A module lists its own parameters before its parts'.
        """
        return weights[0], weights[1:]
