"""What a policy-gradient step learns from: every task's episodes, judged by generalised advantages.

An initialisation learner plays E episodes of a task side by side, an agent one after another; both judge and learn from them here.
These are learners of single episodes: a terminated one is worth nothing more, a truncated one what its last observation is worth.

Each task has a value function of its own, linear in features of the observation and of time (Duan et al. 2016, arXiv 1604.06778,
supplement, section 2). Fitted anew to every batch of episodes, in closed form, it has nothing to train and nothing to save, so that an
agent can fit one in a task it has never seen.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from metarl.core.supervised import Examples
from metarl.learners.data_parallel import all_gather, filled, size_of
from metarl.learners.policy_gradient.ppo import gae
from metarl.learners.policy_gradient.rollout import Rollout
from metarl.networks.actions import ActionDistribution

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = [
    "Judged",
    "TaskEpisodes",
    "all_gather_episodes",
    "as_long_everywhere",
    "baseline_features",
    "episodes_of",
    "fit_baseline",
    "judge",
    "surrogate",
    "surrogate_and_grad",
]

RIDGE = 1e-5  # weight of the squared coefficients of a baseline, beside the mean squared error
MANY_FEATURES = 256  # from which on it pays to have an equation for each step rather than for each feature
FIT_BYTES = 2**29  # that fits of several tasks at once may take


class TaskEpisodes(NamedTuple):
    """E episodes, of at most T steps, of each of n tasks."""

    features: Tensor  # [T, n, E, F] of the observations acted on
    action: Tensor  # [T, n, E, *act] as drawn
    log_prob: Tensor  # [T, n, E] of the action when it was drawn
    reward: Tensor  # [T, n, E]
    valid: Tensor  # [T, n, E] bool: false after an episode's end
    terminated: Tensor  # [n, E] bool: how each episode ended; if not so, it was truncated
    final: Tensor  # [n, E, F] features of what an episode's last step showed

    def of(self, tasks: Tensor) -> "TaskEpisodes":
        """Those of some tasks."""
        return TaskEpisodes(*(part[:, tasks] for part in self[:5]), *(part[tasks] for part in self[5:]))


class Judged(NamedTuple):
    """What a policy's loss reads beside observations, m steps of each of n tasks."""

    action: Tensor  # [n, m, *act]
    log_prob: Tensor  # [n, m]
    gain: Tensor  # [n, m] advantage, normalised within each task, times weight
    weight: Tensor  # [n, m] 0 for steps that don't count, and else such that its mean over m is 1
    clip: float = math.inf  # how far a probability ratio may be from 1 and still be paid for


@torch.no_grad()
def episodes_of(rollout: Rollout, encode: Callable[[Tensor], Tensor], n: int) -> TaskEpisodes:
    """A rollout [T, n E] that kept final observations, one episode a column, a task's columns side by side; `encode` makes features."""
    assert rollout.final_observation is not None, "ask `collect` for them"
    last = (rollout.valid.sum(0) - 1).clamp_min(0)  # [n E]
    final = encode(rollout.final_observation[last, torch.arange(len(last), device=last.device)])
    parts = encode(rollout.steps.observation), rollout.action, rollout.log_prob, rollout.reward, rollout.valid
    by_task = [part.unflatten(1, (n, -1)) for part in parts]
    ends = [part.unflatten(0, (n, -1)) for part in (rollout.terminated.any(0), final)]
    return TaskEpisodes(*by_task, *ends)


def all_gather_episodes(group: "ProcessGroup | None", own: TaskEpisodes, option: Tensor) -> tuple[TaskEpisodes, Tensor]:
    """Return the episodes [T, j, R] of all ranks' tasks, and their options, by rank; shorter ones end in steps that don't count."""
    *in_time, option, terminated, final = all_gather(group, (*own[:5], option, own.terminated[None], own.final[None]), 1)
    return TaskEpisodes._make([*in_time, terminated[0], final[0]]), option


def as_long_everywhere(group: "ProcessGroup | None", own: TaskEpisodes) -> TaskEpisodes:
    """Return this rank's episodes [T, n, E] with steps that don't count behind them, as many as the longest of any rank has."""
    if size_of(group) == 1:
        return own
    (lengths,) = all_gather(group, [torch.tensor([len(own.reward)])])
    length = int(lengths.max())
    in_time = [filled(part, [length, *part.shape[1:]]) for part in own[:5]]
    return TaskEpisodes._make([*in_time, *own[5:]])


@torch.no_grad()
def judge(episodes: TaskEpisodes, discount: float, gae_lambda: float, by_time_alone: bool = False) -> Examples:
    """Every step with its advantage: inputs [n, m, F], targets a `Judged`, m = T E.

    With `by_time_alone`, baselines don't read observations, whose coefficients few samples would be fitted to exactly: nothing of the
    returns would be left to learn from.
    """
    valid, reward = episodes.valid, torch.where(episodes.valid, episodes.reward, 0)
    times = torch.arange(len(valid) + 1, device=valid.device)[:, None, None].expand(-1, *valid.shape[1:])
    read = slice(0) if by_time_alone else slice(None)
    described = baseline_features(episodes.features[..., read], times[:-1])
    nothing, following = torch.zeros_like(reward), torch.zeros_like(valid)
    following[:-1] = valid[1:]
    returns = gae(reward, nothing, nothing, following, discount, 1.0)
    coefficients = fit_baseline(by_task(described), by_task(returns), by_task(valid)).to(described.dtype)  # [n, D]
    value = torch.einsum("tned,nd->tne", described, coefficients)
    last = baseline_features(episodes.final[..., read], valid.sum(0))
    final_value = torch.where(episodes.terminated, 0, torch.einsum("ned,nd->ne", last, coefficients))
    next_value = torch.where(following, torch.cat([value[1:], value[-1:]]), final_value)
    advantage = gae(reward, value, next_value, following, discount, gae_lambda)
    counted = by_task(valid)
    weight = counted * (counted.shape[1] / counted.sum(1, keepdim=True).clamp_min(1))
    gain = normalised(by_task(advantage), weight) * weight
    return Examples(by_task(episodes.features), Judged(by_task(episodes.action), by_task(episodes.log_prob), gain, weight))


def normalised(advantage: Tensor, weight: Tensor) -> Tensor:
    """Advantages [n, m] moved and scaled, task by task, to mean 0 and deviation 1 over the steps that count."""
    advantage = torch.where(weight > 0, advantage, 0)
    away = advantage - (weight * advantage).mean(1, keepdim=True)
    return away / ((weight * away.square()).mean(1, keepdim=True).sqrt() + 1e-8)


def by_task(part: Tensor) -> Tensor:
    """[n, T E, ...] of [T, n, E, ...]."""
    return part.transpose(0, 1).flatten(1, 2)


def baseline_features(observation: Tensor, time: Tensor) -> Tensor:
    """Features [..., 2 F + 4] of observations [..., F] seen after `time` [...] steps of an episode."""
    hundreds = (time.to(observation.dtype) / 100)[..., None]
    one = torch.ones_like(hundreds)
    return torch.cat([observation, observation.square(), hundreds, hundreds.square(), hundreds.pow(3), one], -1)


def fit_baseline(features: Tensor, returns: Tensor, valid: Tensor) -> Tensor:
    """Coefficients [n, D] of each task's ridge regression, in float64.

    Tasks are fitted some at a time where all of them would take too much memory. Where there are many more features than steps, the
    equations are those of the steps (the dual form): m of them rather than D, for the same coefficients.

    Args:
        features: [n, m, D]. returns: [n, m]. valid: [n, m] bool, where not an entry doesn't count.
    """
    m, size = features.shape[1:]
    solve = fit_by_steps if size > max(m, MANY_FEATURES) else fit_by_features
    task_bytes = 8 * (2 * m * size + 3 * min(m, size) ** 2)
    together = max(1, FIT_BYTES // max(1, task_bytes))
    parts = zip(features.split(together), returns.split(together), valid.split(together), strict=True)
    fitted = [solve(*part) for part in parts]
    return fitted[0] if len(fitted) == 1 else torch.cat(fitted)


def fit_by_features(features: Tensor, returns: Tensor, valid: Tensor) -> Tensor:
    """The coefficients [n, D] from D equations: (X'X / m + r) c = X'y / m."""
    features = torch.where(valid[..., None], features.double(), 0)
    count = valid.sum(1).clamp_min(1)[:, None, None]
    squares = features.transpose(1, 2) @ features / count + RIDGE * torch.eye(
        features.shape[-1], dtype=torch.float64, device=features.device
    )
    projected = features.transpose(1, 2) @ torch.where(valid, returns.double(), 0)[..., None] / count
    return solved(squares, projected)[..., 0]


def fit_by_steps(features: Tensor, returns: Tensor, valid: Tensor) -> Tensor:
    """The same from m equations: c = X'a / m, (XX' / m + r) a = y."""
    features = torch.where(valid[..., None], features.double(), 0)
    count = valid.sum(1).clamp_min(1)[:, None, None]
    kernel = features @ features.transpose(1, 2) / count + RIDGE * torch.eye(features.shape[1], dtype=torch.float64, device=features.device)
    weights = solved(kernel, torch.where(valid, returns.double(), 0)[..., None])
    return (features.transpose(1, 2) @ weights / count)[..., 0]


def solved(squares: Tensor, right: Tensor) -> Tensor:
    """x [n, k, 1] with squares [n, k, k] x = right, for matrices that are symmetric and positive, but for rounding."""
    factor, failed = torch.linalg.cholesky_ex(squares)
    if bool(failed.any()):
        return torch.linalg.pinv(squares, hermitian=True) @ right
    return torch.cholesky_solve(right, factor)


def surrogate(actions: ActionDistribution) -> Callable[[Tensor, Judged], Tensor]:
    """The loss [n, m] of steps, minus gains times probability ratios, for parameters [n, m, P] and what was judged.

    Its derivative where the actions were drawn is the policy gradient's. Within a finite `clip` it is PPO's (Schulman et al. 2017,
    equation 7).
    """

    def loss(parameters: Tensor, judged: Judged) -> Tensor:
        ratio = (actions.log_prob(parameters, judged.action) - judged.log_prob).exp()
        if judged.clip == math.inf:
            return -ratio * judged.gain
        return -torch.minimum(ratio * judged.gain, ratio.clamp(1 - judged.clip, 1 + judged.clip) * judged.gain)

    return loss


def surrogate_and_grad(actions: ActionDistribution) -> Callable[[Tensor, Judged], tuple[Tensor, Tensor]]:
    """The same loss [n, m], and its derivative [n, m, P] by the parameters, without a graph."""

    @torch.no_grad()
    def loss_and_grad(parameters: Tensor, judged: Judged) -> tuple[Tensor, Tensor]:
        log_prob, grad = actions.log_prob_and_grad(parameters, judged.action)
        ratio = (log_prob - judged.log_prob).exp_()
        paid, limit = ratio * judged.gain, ratio.clamp(1 - judged.clip, 1 + judged.clip) * judged.gain
        moved = torch.where(paid <= limit, paid, 0)  # beyond the clip nothing is to be had
        return -torch.minimum(paid, limit), grad * -moved[..., None]

    return loss_and_grad
