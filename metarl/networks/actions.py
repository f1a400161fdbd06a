"""Action distributions over Gymnasium spaces, as pure functions of the policy's output.

A policy puts out parameters [..., P] for its action space; the classes here turn them into actions,
log-probabilities and entropies. Actions stay unclipped inside the learner, and `to_environment`
clips them to a box on the way out.
"""

import math
from abc import ABC, abstractmethod

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

__all__ = ["ActionDistribution", "action_distribution", "check_size", "one_hot"]


def one_hot(index: Tensor, size: int) -> Tensor:
    """[..., size] float32 with a 1 at `index` [...].

    Unlike PyTorch's it never waits for the device.
    """
    return (index[..., None] == torch.arange(size, device=index.device)).to(torch.float32)


MOST_FEATURES = 2**20  # numbers that a network reads or puts out for one observation or action


def check_size(what: str, space: gym.Space, size: int) -> None:
    """Raise ValueError if `space` needs more features than networks here have room for, before they
    are made.

    Args:
        what: "Observations" or "Actions". size: features that one of them takes, one-hot where
            discrete.
    """
    if size > MOST_FEATURES:
        kind = (
            f"{type(space).__name__} space"
            if not isinstance(space, gym.spaces.Discrete)
            else f"Discrete({int(space.n)})"
        )
        if isinstance(space, gym.spaces.Discrete | gym.spaces.MultiDiscrete):
            advice = (
                "Write the number as digits, such as MultiDiscrete([1024, 1024]) for"
                " Discrete(1048576), or as a Box of numbers."
            )
        else:
            advice = "Give fewer numbers: crop, downsample or summarise them."
        raise ValueError(
            f"{what} of this {kind} take {size:,} features, one-hot where discrete; networks here"
            f" have room for {MOST_FEATURES:,}. {advice}"
        )


class ActionDistribution(ABC):
    """Distributions over one action space.

    Attributes:
        num_parameters: P, outputs that the policy needs.
        num_features: size of `encode`'s result.
    """

    num_parameters: int
    num_features: int

    @abstractmethod
    def sample(self, parameters: Tensor, rng: Generator) -> Tensor:
        """Draw actions [..., *act] for parameters [..., P]."""

    @abstractmethod
    def mode(self, parameters: Tensor) -> Tensor:
        """Return the most likely actions [..., *act]."""

    @abstractmethod
    def log_prob(self, parameters: Tensor, action: Tensor) -> Tensor:
        """Log-probabilities (densities for boxes) [...] of actions [..., *act]."""

    @abstractmethod
    def entropy(self, parameters: Tensor) -> Tensor:
        """Entropies [...] in nats."""

    @abstractmethod
    def kl(self, parameters: Tensor, other: Tensor) -> Tensor:
        """Kullback-Leibler divergences [...] in nats of the distributions that `other` stands for
        from those of `parameters`.
        """

    def log_prob_and_entropy(self, parameters: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Both at once, for kinds that can share the work."""
        return self.log_prob(parameters, action), self.entropy(parameters)

    def log_prob_and_grad(self, parameters: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities [...] and their derivatives [..., P] by the parameters, both without a
        graph.
        """
        with torch.enable_grad():
            leaf = parameters.detach().requires_grad_()
            log_prob = self.log_prob(leaf, action)
            return log_prob.detach(), torch.autograd.grad(log_prob.sum(), leaf)[0]

    def entropy_and_grad(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Entropies [...] and their derivatives [..., P] by the parameters, both without a graph."""
        with torch.enable_grad():
            leaf = parameters.detach().requires_grad_()
            entropy = self.entropy(leaf)
            return entropy.detach(), torch.autograd.grad(entropy.sum(), leaf)[0]

    @abstractmethod
    def encode(self, action: Tensor) -> Tensor:
        """Actions as float features [..., num_features], one-hot where discrete."""

    def to_environment(self, action: Tensor) -> Tensor:
        """Return what the environment gets: the action itself, clipped for boxes."""
        return action


class Categorical(ActionDistribution):
    """Discrete(n), from any start."""

    def __init__(self, space: gym.spaces.Discrete):
        self.start = int(space.start)
        self.num_parameters = self.num_features = int(space.n)

    def sample(self, parameters: Tensor, rng: Generator) -> Tensor:
        uniform = torch.rand(
            parameters.shape, generator=rng, device=parameters.device, dtype=parameters.dtype
        )
        # Gumbel-max: of logits - log(-log(U))
        return self._numbered((parameters - uniform.log_().neg_().log_()).argmax(-1))

    def mode(self, parameters: Tensor) -> Tensor:
        return self._numbered(parameters.argmax(-1))

    def log_prob(self, parameters: Tensor, action: Tensor) -> Tensor:
        return choices_first(parameters).log_softmax(0).gather(0, self._place(action)[None])[0]

    def log_prob_and_entropy(self, parameters: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        log_probabilities = choices_first(parameters).log_softmax(0)
        entropy = -(log_probabilities.exp() * log_probabilities).sum(0)
        return log_probabilities.gather(0, self._place(action)[None])[0], entropy

    @torch.no_grad()
    def log_prob_and_grad(self, parameters: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        log_probabilities = choices_first(parameters).log_softmax(0)
        index = self._place(action)[None]
        log_prob = log_probabilities.gather(0, index)
        # Of the chosen: 1 less its probability, of others: less theirs
        grad = log_probabilities.exp_().neg_()
        grad.scatter_add_(0, index, torch.ones_like(log_prob))
        return log_prob[0], grad.movedim(0, -1)

    @torch.no_grad()
    def entropy_and_grad(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        log_probabilities = choices_first(parameters).log_softmax(0)
        probabilities = log_probabilities.exp()
        entropy = -(probabilities * log_probabilities).sum(0)
        return entropy, log_probabilities.add_(entropy).mul_(probabilities).neg_().movedim(0, -1)

    def entropy(self, parameters: Tensor) -> Tensor:
        log_probabilities = choices_first(parameters).log_softmax(0)
        return -(log_probabilities.exp() * log_probabilities).sum(0)

    def kl(self, parameters: Tensor, other: Tensor) -> Tensor:
        log_p = choices_first(parameters).log_softmax(0)
        log_q = choices_first(other).log_softmax(0)
        return (log_p.exp() * (log_p - log_q)).sum(0)

    def encode(self, action: Tensor) -> Tensor:
        return one_hot(self._place(action), self.num_features)

    def _numbered(self, place: Tensor) -> Tensor:
        """Return the action at a `place` counted from 0."""
        return place + self.start if self.start else place

    def _place(self, action: Tensor) -> Tensor:
        return action - self.start if self.start else action


def choices_first(parameters: Tensor) -> Tensor:
    """[n, ...] of [..., n].

    Along a short last dimension PyTorch's softmax and sums are several times slower.
    """
    return parameters.movedim(-1, 0)


class MultiCategorical(ActionDistribution):
    """MultiDiscrete([n_1, ..., n_d]), from any starts: independent categoricals."""

    def __init__(self, space: gym.spaces.MultiDiscrete):
        if space.nvec.ndim != 1:
            raise ValueError(f"MultiDiscrete actions must be a vector, not {space}; flatten them.")
        self.sizes = [int(n) for n in space.nvec]
        self.parts = [
            Categorical(gym.spaces.Discrete(n, start=int(start)))
            for n, start in zip(self.sizes, space.start, strict=True)
        ]
        self.num_parameters = self.num_features = sum(self.sizes)

    def sample(self, parameters: Tensor, rng: Generator) -> Tensor:
        return torch.stack([part.sample(p, rng) for part, p in self._split(parameters)], -1)

    def mode(self, parameters: Tensor) -> Tensor:
        return torch.stack([part.mode(p) for part, p in self._split(parameters)], -1)

    def log_prob(self, parameters: Tensor, action: Tensor) -> Tensor:
        return torch.stack(
            [
                part.log_prob(p, action[..., i])
                for i, (part, p) in enumerate(self._split(parameters))
            ]
        ).sum(0)

    def entropy(self, parameters: Tensor) -> Tensor:
        return torch.stack([part.entropy(p) for part, p in self._split(parameters)]).sum(0)

    def kl(self, parameters: Tensor, other: Tensor) -> Tensor:
        pairs = zip(self._split(parameters), self._split(other), strict=True)
        return torch.stack([part.kl(p, q) for (part, p), (_, q) in pairs]).sum(0)

    def encode(self, action: Tensor) -> Tensor:
        return torch.cat([part.encode(action[..., i]) for i, part in enumerate(self.parts)], -1)

    def _split(self, parameters: Tensor) -> list[tuple[Categorical, Tensor]]:
        return list(zip(self.parts, parameters.split(self.sizes, -1), strict=True))


class Bernoullis(ActionDistribution):
    """MultiBinary(shape): independent coins; parameters are logits."""

    def __init__(self, space: gym.spaces.MultiBinary):
        self.shape = tuple(space.shape)
        self.num_parameters = self.num_features = math.prod(self.shape)

    def sample(self, parameters: Tensor, rng: Generator) -> Tensor:
        uniform = torch.rand(
            parameters.shape, generator=rng, device=parameters.device, dtype=parameters.dtype
        )
        return (uniform < parameters.sigmoid()).to(torch.int64).unflatten(-1, self.shape)

    def mode(self, parameters: Tensor) -> Tensor:
        return (parameters > 0).to(torch.int64).unflatten(-1, self.shape)

    def log_prob(self, parameters: Tensor, action: Tensor) -> Tensor:
        sign = 2 * action.flatten(-len(self.shape)).to(parameters.dtype) - 1
        return torch.nn.functional.logsigmoid(sign * parameters).sum(-1)

    def entropy(self, parameters: Tensor) -> Tensor:
        p = parameters.sigmoid()
        return -(
            p * torch.nn.functional.logsigmoid(parameters)
            + (1 - p) * torch.nn.functional.logsigmoid(-parameters)
        ).sum(-1)

    def kl(self, parameters: Tensor, other: Tensor) -> Tensor:
        heads, tails = (torch.nn.functional.logsigmoid(sign * parameters) for sign in (1, -1))
        other_heads, other_tails = (
            torch.nn.functional.logsigmoid(sign * other) for sign in (1, -1)
        )
        return (heads.exp() * (heads - other_heads) + tails.exp() * (tails - other_tails)).sum(-1)

    def encode(self, action: Tensor) -> Tensor:
        return action.flatten(-len(self.shape)).to(torch.float32)


class Gaussian(ActionDistribution):
    """Box.

    Independent normals; parameters are means and log standard deviations, in units of half the box
    where it is bounded.
    """

    LOG_STD = (-5.0, 1.0)

    def __init__(self, space: gym.spaces.Box):
        self.shape = tuple(space.shape)
        self.num_features = math.prod(self.shape)
        self.num_parameters = 2 * self.num_features
        low = np.asarray(space.low, np.float64)
        high = np.asarray(space.high, np.float64)
        # Some environments write the largest float for "unbounded"
        bounded = high / 2 - low / 2 < 5e29
        low = np.where(bounded, low, -1.0)
        high = np.where(bounded, high, 1.0)
        self.center = torch.as_tensor(((low + high) / 2).ravel(), dtype=torch.float32)
        self.scale = torch.as_tensor(((high - low) / 2).ravel(), dtype=torch.float32).clamp_min(
            1e-6
        )
        # Where float32 rounds a bound outward, the environment's rows make the bound of it again
        self.low = torch.as_tensor(np.asarray(space.low, np.float64).ravel()).to(torch.float32)
        self.high = torch.as_tensor(np.asarray(space.high, np.float64).ravel()).to(torch.float32)

    def sample(self, parameters: Tensor, rng: Generator) -> Tensor:
        mean, log_std = self._split(parameters)
        noise = torch.randn(mean.shape, generator=rng, device=mean.device, dtype=mean.dtype)
        return self._scaled(mean + log_std.exp() * noise)

    def mode(self, parameters: Tensor) -> Tensor:
        return self._scaled(self._split(parameters)[0])

    def log_prob(self, parameters: Tensor, action: Tensor) -> Tensor:
        mean, log_std = self._split(parameters)
        # The density is per unit of the action, not of half the box
        scale = self.scale.to(mean.device)
        deviation = (self.encode(action) - mean) / log_std.exp()
        return (
            -0.5 * deviation.square() - log_std - 0.5 * math.log(2 * math.pi) - scale.log()
        ).sum(-1)

    def entropy(self, parameters: Tensor) -> Tensor:
        _, log_std = self._split(parameters)
        return (
            log_std + 0.5 * math.log(2 * math.pi * math.e) + self.scale.to(log_std.device).log()
        ).sum(-1)

    def kl(self, parameters: Tensor, other: Tensor) -> Tensor:
        mean, log_std = self._split(parameters)
        other_mean, other_log_std = self._split(other)
        squares = (2 * log_std).exp() + (mean - other_mean).square()
        return (other_log_std - log_std + 0.5 * squares * (-2 * other_log_std).exp() - 0.5).sum(-1)

    def encode(self, action: Tensor) -> Tensor:
        flat = action.flatten(-len(self.shape)) if self.shape else action[..., None]
        return (flat - self.center.to(flat.device)) / self.scale.to(flat.device)

    def to_environment(self, action: Tensor) -> Tensor:
        return torch.clamp(
            action,
            self.low.to(action.device).reshape(self.shape),
            self.high.to(action.device).reshape(self.shape),
        )

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = parameters.chunk(2, -1)
        return mean, log_std.clamp(*self.LOG_STD)

    def _scaled(self, unit: Tensor) -> Tensor:
        action = unit * self.scale.to(unit.device) + self.center.to(unit.device)
        return action.unflatten(-1, self.shape) if self.shape else action[..., 0]


def action_distribution(space: gym.Space) -> ActionDistribution:
    """Return the distributions over `space`.

    Raises:
        ValueError: a kind of space that no distribution here covers, or one too large for networks.
    """
    if isinstance(space, gym.spaces.Discrete):
        check_size("Actions", space, int(space.n))
        return Categorical(space)
    if isinstance(space, gym.spaces.MultiDiscrete):
        check_size("Actions", space, sum(int(n) for n in space.nvec.ravel()))
        return MultiCategorical(space)
    if isinstance(space, gym.spaces.MultiBinary | gym.spaces.Box):
        check_size("Actions", space, math.prod(space.shape))
        return Bernoullis(space) if isinstance(space, gym.spaces.MultiBinary) else Gaussian(space)
    raise ValueError(
        f"Actions of {space} aren't supported; use Discrete, MultiDiscrete, MultiBinary or Box."
    )
