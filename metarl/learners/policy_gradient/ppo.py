"""Proximal policy optimisation (Schulman et al. 2017): its clipped surrogate, and the update that
several learners share.

The update works on S seeds at once (one a seed, usually one): columns [T, S B] are seen as [T, S,
B], and each seed has its own advantages, minibatches, loss and gradient norm.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.utils._pytree import tree_map_only

from metarl.core.arguments import check_fields
from metarl.core.step import Step
from metarl.learners.data_parallel import all_reduce, rank_of, size_of
from metarl.learners.policy_gradient.advantages import PolicyGradientBatch
from metarl.learners.settings import check_step_sizes
from metarl.networks.actions import ActionDistribution
from metarl.networks.policies.policy import PolicyOutput, Seen
from metarl.networks.policies.spatial_memory import PlacesSeen

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = [
    "Batch",
    "PPOConfig",
    "PPOMetrics",
    "annealed",
    "clipped_surrogate",
    "minibatches",
    "ppo_loss",
    "ppo_update",
    "surrogate",
    "surrogate_and_grad",
]


@dataclass(frozen=True)
class PPOConfig:
    """Settings of the update.

    Attributes:
        discount: gamma, over the whole meta-episode for RL².
        gae_lambda: lambda of the generalised advantages.
        epochs: passes over a rollout.
        minibatches: parts a pass is cut into, along tasks.
        clip: of the probability ratio.
        lr: Adam's step size at the start.
        lr_end: ... at the end, linearly.
        entropy_coef: weight of the entropy bonus at the start.
        entropy_end: ... from `entropy_until` on, linearly.
        entropy_until: share of training after which the bonus stays at `entropy_end`.
        value_coef: weight of the squared error of the (normalised) value.
        max_grad_norm: gradients are scaled down to this norm.
        weight_decay: decoupled, per step, as in AdamW.
        adam_epsilon: of Adam's denominator.
    """

    discount: float = 0.99
    gae_lambda: float = 0.9
    epochs: int = 4
    minibatches: int = 4
    clip: float = 0.2
    lr: float = 5e-3
    lr_end: float = 1e-5
    entropy_coef: float = 0.01
    entropy_end: float = 0.0
    entropy_until: float = 0.5
    value_coef: float = 0.25
    max_grad_norm: float = 0.5
    weight_decay: float = 0.0
    adam_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        check_fields(self, may_be_infinite=("clip", "max_grad_norm"))
        if not (0 <= self.discount <= 1 and 0 <= self.gae_lambda <= 1):
            raise ValueError(
                f"discount and gae_lambda must lie in [0, 1], not {self.discount} and"
                f" {self.gae_lambda}."
            )
        if min(self.epochs, self.minibatches) < 1:
            raise ValueError(
                f"epochs and minibatches must be at least 1, not {self.epochs} and"
                f" {self.minibatches}."
            )
        if not all(
            value > 0 for value in (self.lr, self.clip, self.max_grad_norm, self.adam_epsilon)
        ):
            raise ValueError("lr, clip, max_grad_norm and adam_epsilon must be positive.")
        check_step_sizes(lr=self.lr, lr_end=self.lr_end or self.lr)
        rest = (
            self.lr_end,
            self.entropy_coef,
            self.entropy_end,
            self.value_coef,
            self.weight_decay,
        )
        if not all(value >= 0 for value in rest):
            raise ValueError(
                "lr_end, entropy_coef, entropy_end, value_coef and weight_decay can't be negative."
            )
        if not 0 < self.entropy_until <= 1:
            raise ValueError(
                "entropy_until must be a share of training, above 0 and at most 1, not"
                f" {self.entropy_until}."
            )


class PPOMetrics(NamedTuple):
    """Means over an update."""

    policy_loss: Tensor
    value_loss: Tensor
    entropy: Tensor  # nats
    kl: Tensor  # nats, of the old policy from the new, estimated from samples (Schulman 2020)
    clip_fraction: Tensor  # share of ratios outside the clip range
    grad_norm: Tensor


def annealed(start: float, end: float, share: float) -> float:
    """Linear from `start` to `end` as `share` goes from 0 to 1, and `end` after."""
    return start + (end - start) * min(1.0, max(0.0, share))


def minibatches(columns: int, num_seeds: int, parts: int, rng: Generator) -> list[Tensor]:
    """Return a random partition of each seed's columns.

    `parts` index tensors [S x B / parts] into [S x B] columns.
    """
    order = torch.stack(
        [torch.randperm(columns, generator=rng, device=rng.device) for _ in range(num_seeds)]
    )
    order = order + columns * torch.arange(num_seeds, device=rng.device)[:, None]
    return [chunk.flatten() for chunk in order.tensor_split(parts, 1)]


class Batch(NamedTuple):
    """What the loss reads, [T, S x B, ...]."""

    steps: Step | Tensor | Seen | PlacesSeen  # or what the policy's `read` made of them
    action: Tensor
    log_prob: Tensor
    advantage: Tensor  # normalised
    target: Tensor  # normalised return to go
    valid: Tensor

    def columns(self, index: Tensor) -> "Batch":
        """Return the columns at `index`, as long as the longest of them is valid."""
        length = int(self.valid.index_select(1, index).any(1).sum())
        return tree_map_only(Tensor, lambda field: field[:length].index_select(1, index), self)


def ppo_loss(
    policy: nn.Module,
    actions: ActionDistribution,
    batch: Batch,
    config: PPOConfig,
    entropy_weight: float,
    num_seeds: int,
    count: Tensor | None = None,
) -> tuple[Tensor, PPOMetrics]:
    """Return the clipped surrogate, squared value error and entropy bonus of whole meta-episodes;
    the sum over seeds of each one's mean.

    Where `batch` is only a part of a minibatch, `count` [S] says how many steps the minibatch has,
    and the parts' results add up.
    """
    output: PolicyOutput = policy.sequence(batch.steps)  # type: ignore[operator]
    weight = batch.valid.to(output.value.dtype)
    count = steps_of_seeds(batch.valid, num_seeds) if count is None else count
    weight = weight / count.clamp_min(1).repeat_interleave(weight.shape[1] // num_seeds)
    log_prob, each_entropy = actions.log_prob_and_entropy(output.parameters, batch.action)
    log_ratio = log_prob - batch.log_prob
    ratio = log_ratio.exp()
    policy_loss = -(weight * clipped_surrogate(ratio, batch.advantage, config.clip)).sum()
    value_loss = (weight * (output.value - batch.target).square()).sum()
    entropy = (weight * each_entropy).sum()
    loss = policy_loss + config.value_coef * value_loss - entropy_weight * entropy
    with torch.no_grad():
        kl = (weight * (ratio - 1 - log_ratio)).sum()
        clip_fraction = (weight * ((ratio - 1).abs() > config.clip)).sum()
        metrics = (
            torch.stack([policy_loss, value_loss, entropy, kl, clip_fraction, torch.zeros_like(kl)])
            / num_seeds
        )
    return loss, PPOMetrics(*metrics.unbind())


def ppo_update(
    policy: nn.Module,
    optimizer: torch.optim.Optimizer,
    actions: ActionDistribution,
    batch: Batch,
    config: PPOConfig,
    progress: float,
    num_seeds: int,
    rng: Generator,
    group: "ProcessGroup | None" = None,
    held: Tensor | None = None,
) -> PPOMetrics:
    """Several passes of minibatches over `batch`.

    Args:
        policy, optimizer: what changes. actions: distributions over the action space.
        batch: columns [T, S x B]. config: settings.
        progress: share of training done, for the schedules.
        num_seeds: S. rng: draws the minibatches.
        group: ranks that draw the same minibatches and add up their gradients.
        held: numbers [n], among all ranks' columns, of those in `batch`, whose every step counts;
            left out where all ranks hold the same batch.
    """
    for parameter_group in optimizer.param_groups:
        parameter_group["lr"] = annealed(config.lr, config.lr_end, progress)
    entropy_weight = annealed(
        config.entropy_coef, config.entropy_end, progress / config.entropy_until
    )
    parameters = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    columns = batch.action.shape[1] // num_seeds * (1 if held is None else size_of(group))
    measured = []
    for _ in range(config.epochs):
        for index in minibatches(columns, num_seeds, config.minibatches, rng):
            all_here = config.minibatches * size_of(group) == 1
            part, count = (
                (batch, None) if all_here else own_part(batch, index, num_seeds, group, held)
            )
            loss, metrics = ppo_loss(
                policy, actions, part, config, entropy_weight, num_seeds, count
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            metrics = add_up(parameters, metrics, group)
            norm = clip_gradients(parameters, config.max_grad_norm, num_seeds)
            optimizer.step()
            measured.append(metrics._replace(grad_norm=norm))
    return PPOMetrics(*(torch.stack(values).mean() for values in zip(*measured, strict=True)))


def steps_of_seeds(valid: Tensor, num_seeds: int) -> Tensor:
    """Steps that count [S], of `valid` [T, S x B]."""
    return valid.unflatten(1, (num_seeds, -1)).sum((0, 2))


def own_part(
    batch: Batch, index: Tensor, num_seeds: int, group: "ProcessGroup | None", held: Tensor | None
) -> tuple[Batch, Tensor | None]:
    """Return this rank's part of a minibatch, and the steps [S] that count in the whole; None where
    the part is the whole.

    Args:
        batch: what this rank holds. index: the minibatch's columns.
        num_seeds, group, held: as of `ppo_update`.
    """
    size = size_of(group)
    if size == 1:
        return batch.columns(index), None
    if held is None:
        mine = index.unflatten(0, (num_seeds, -1)).tensor_split(size, 1)[rank_of(group)].flatten()
        return batch.columns(mine), steps_of_seeds(batch.valid.index_select(1, index), num_seeds)
    place = torch.full((size * len(held),), -1, device=index.device)
    place[held] = torch.arange(len(held), device=index.device)
    mine = place[index]
    count = torch.tensor([len(batch.valid) * len(index)], device=index.device)
    return batch.columns(mine[mine >= 0]), count


@torch.no_grad()
def add_up(parameters: list[Any], metrics: PPOMetrics, group: "ProcessGroup | None") -> PPOMetrics:
    """Make gradients and metrics, which parts of a minibatch gave, those of the whole."""
    if size_of(group) == 1:
        return metrics
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    whole = all_reduce(
        group, torch.cat([*(grad.flatten() for grad in grads), torch.stack(metrics)])
    )
    for grad, total in zip(
        grads, whole.split([grad.numel() for grad in grads] + [len(metrics)]), strict=False
    ):
        grad.copy_(total.view_as(grad))
    return PPOMetrics(*whole[-len(metrics) :].unbind())


@torch.no_grad()
def clip_gradients(parameters: list[Any], max_norm: float, num_seeds: int) -> Tensor:
    """Scale each seed's gradient down to `max_norm` and return the mean norm.

    Several seeds' parameters are stacked [S, ...].
    """
    if num_seeds == 1:
        return nn.utils.clip_grad_norm_(parameters, max_norm)
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = torch.stack([grad.flatten(1).square().sum(1) for grad in grads]).sum(0).sqrt()  # [S]
    scale = (max_norm / (norms + 1e-6)).clamp_max(1.0)
    for grad in grads:
        grad.mul_(scale.reshape(-1, *(1,) * (grad.dim() - 1)))
    return norms.mean()


def clipped_surrogate(ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """Return what probability ratios [...] are paid: no more than within `clip` of 1 (Schulman et
    al. 2017, equation 7).

    Its derivative where the ratio is 1 is the policy gradient's; an infinite `clip` leaves the
    ratio as it is.
    """
    paid = ratio * advantage
    if clip == math.inf:
        return paid
    return torch.minimum(paid, ratio.clamp(1 - clip, 1 + clip) * advantage)


def surrogate(actions: ActionDistribution) -> Callable[[Tensor, PolicyGradientBatch], Tensor]:
    """Return the loss [n, m] of steps as a function of parameters [n, m, P] and what was played."""

    def loss(parameters: Tensor, batch: PolicyGradientBatch) -> Tensor:
        ratio = (actions.log_prob(parameters, batch.action) - batch.log_prob).exp()
        return -clipped_surrogate(ratio, batch.advantage, batch.clip)

    return loss


def surrogate_and_grad(
    actions: ActionDistribution,
) -> Callable[[Tensor, PolicyGradientBatch], tuple[Tensor, Tensor]]:
    """Return the same loss [n, m] with its derivative [n, m, P] by the parameters, without a graph."""

    @torch.no_grad()
    def loss_and_grad(parameters: Tensor, batch: PolicyGradientBatch) -> tuple[Tensor, Tensor]:
        log_prob, grad = actions.log_prob_and_grad(parameters, batch.action)
        ratio = (log_prob - batch.log_prob).exp_()
        paid = clipped_surrogate(ratio, batch.advantage, batch.clip)
        # beyond the clip nothing is to be had
        moved = torch.where(ratio * batch.advantage <= paid, paid, 0)
        return -paid, grad * -moved[..., None]

    return loss_and_grad
