"""Running moments: of inputs, and of the returns that a value function predicts."""

import torch
from torch import Tensor, nn

__all__ = ["ReturnNormaliser", "RunningMoments"]


class RunningMoments(nn.Module):
    """Mean and variance of everything seen so far (Chan et al. 1979), as buffers; nothing seen =
    leave the input alone.

    Args:
        shape: of one entry.
    """

    mean: Tensor
    variance: Tensor
    count: Tensor

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("variance", torch.ones(shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def normalise(self, value: Tensor) -> Tensor:
        """(value - mean) / standard deviation, clipped to ±10."""
        # Rounding of something constant isn't news
        variance = torch.where(self.variance > 1e-12, self.variance, 1.0)
        return ((value - self.mean) * torch.rsqrt(variance + 1e-8)).clamp(-10, 10)

    @torch.no_grad()
    def update(self, batch: Tensor) -> None:
        """Take in a batch [n, *shape]."""
        if len(batch) > 0:
            batch = batch.to(torch.float32)
            self.merge(len(batch), batch.mean(0), batch.var(0, unbiased=False))

    @torch.no_grad()
    def merge(self, fresh: int, mean: Tensor, variance: Tensor) -> None:
        """Take in the mean and the variance [*shape] of `fresh` entries."""
        total = self.count + fresh
        share = (fresh / total).to(mean.dtype)
        delta = mean - self.mean
        self.variance.copy_(
            (1 - share) * self.variance + share * variance + share * (1 - share) * delta.square()
        )
        self.mean.add_(share * delta)
        self.count.copy_(total)


class ReturnNormaliser(nn.Module):
    """Returns to go shrink along a meta-episode; the value head predicts what is left after a mean
    per time step and one scale.

    Args:
        steps: T, most steps of a meta-episode.
        num_seeds: S, seeds that train in one batch, each with moments of its own.
        momentum: weight of the latest batch in the running moments.
    """

    mean: Tensor
    scale: Tensor
    started: Tensor

    def __init__(self, steps: int, num_seeds: int = 1, momentum: float = 0.1):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(steps, num_seeds))
        self.register_buffer("scale", torch.ones(num_seeds))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def denormalise(self, value: Tensor) -> Tensor:
        """Returns [T, S, B] that the normalised predictions [T, S, B] stand for."""
        return self.mean[: len(value), :, None] + self.scale[:, None] * value

    def normalise(self, returns: Tensor) -> Tensor:
        """Targets [T, S, B] for the value head."""
        return (returns - self.mean[: len(returns), :, None]) / self.scale[:, None]

    @torch.no_grad()
    def update(self, returns: Tensor, valid: Tensor) -> None:
        """Take in a batch of returns [T, S, B]; entries that aren't valid don't count."""
        length = len(returns)
        counts = valid.sum(-1).clamp_min(1)
        mean = torch.where(valid, returns, 0).sum(-1) / counts  # [T, S]
        seen = valid.any(-1)
        residual = torch.where(valid, returns - mean[..., None], 0)
        scale = (
            (residual.square().sum((0, 2)) / valid.sum((0, 2)).clamp_min(1)).sqrt().clamp_min(1e-3)
        )
        weight = torch.where(self.started, self.momentum, 1.0)
        self.mean[:length] = torch.where(
            seen, torch.lerp(self.mean[:length], mean, weight), self.mean[:length]
        )
        self.scale.copy_(torch.lerp(self.scale, scale, weight))
        self.started.fill_(True)
