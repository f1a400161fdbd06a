"""Trajectories: what was played side by side, time first, and how it is collected.

Every learner that learns from what its present policy played keeps it so. A field that a learner
doesn't need is None.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Generator, Tensor

from metarl.core.errors import PlugInError
from metarl.core.step import Outcome, Step
from metarl.core.task_distribution import TaskSource, where_rows
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.data_parallel import all_gather, filled, size_of
from metarl.networks.actions import ActionDistribution
from metarl.networks.finite import all_finite, check_output

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["Trajectory", "all_gather_trajectory", "as_long_everywhere", "by_task", "collect"]


class Trajectory(NamedTuple):
    """At most T steps of each of B columns; B may stand for n tasks x E episodes."""

    observation: Tensor  # [T, B, *obs] acted on, or features of it
    action: Tensor  # [T, B, *act] as drawn, before clipping to a box
    log_prob: Tensor  # [T, B] of `action` when it was drawn
    reward: Tensor  # [T, B]
    terminated: Tensor  # [T, B] bool
    valid: Tensor  # [T, B] bool: false after a column's (meta-)episode is over
    truncated: Tensor | None = None  # [T, B] bool
    meta_episode_end: Tensor | None = None  # [T, B] bool
    value: Tensor | None = None  # [T, B] as the policy put it out
    final_value: Tensor | None = None  # [T, B] of what a truncated episode showed last
    final_observation: Tensor | None = None  # [B, *obs] what each column's last step showed
    steps: Step | None = None  # [T, B, ...] all that the policy saw, but for `final_observation`

    def columns(self, index: Tensor | slice) -> "Trajectory":
        """Return some of the columns."""
        final = None if self.final_observation is None else self.final_observation[index]
        steps = None
        if self.steps is not None:
            steps = self.steps.apply(lambda part: part[:, index])
        along_time = [None if part is None else part[:, index] for part in self[:-2]]
        return Trajectory._make([*along_time, final, steps])


@torch.no_grad()
def collect(
    env: MetaEpisodeEnv,
    policy: Any,
    actions: ActionDistribution,
    source: TaskSource,
    rng: Generator,
    final_observations: bool = False,
) -> Trajectory:
    """Play one meta-episode in every row of `env` (made with refill=False) and return them.

    Args:
        env: the rows. policy: initial_state and forward.
        actions: distributions over the action space.
        source: tasks. rng: draws the actions.
        final_observations: keep what each row's last step showed, which learners of single
            episodes value where it was truncated.

    Raises:
        ValueError: the policy puts out numbers that aren't finite.
        PlugInError: the distribution broke its contract.
    """
    step = env.reset(source)
    state = policy.initial_state(env.num_envs)
    steps = []
    taken = []
    outputs = []
    outcomes = []
    final = step.observation
    for t in range(env.max_steps):
        output, state = policy(step, state)
        action = actions.sample(output.parameters, rng)
        # policies don't read it, and a frame is kept once
        steps.append(step._replace(final_observation=cast(Any, None)))
        try:
            step, outcome = env.step(actions.to_environment(action))
        except PlugInError:
            check_output("The policy in training", output.parameters)
            raise
        if final_observations:
            final = where_rows(outcome.valid, outcome.final_observation, final)
        taken.append(action)
        outputs.append(output)
        outcomes.append(outcome._replace(final_observation=cast(Any, None)))
        if t % 16 == 15 and not bool((outcome.valid & ~outcome.meta_episode_end).any()):
            break
    env.check()
    action = torch.stack(taken)
    parameters = torch.stack([output.parameters for output in outputs])
    value = torch.stack([output.value for output in outputs])
    if not all_finite([parameters, value]):
        by_row = parameters.cpu().transpose(0, 1)
        check_output("The policy in training", by_row, value.cpu().t())
    stacked: Any = [
        None if part[0] is None else torch.stack(part) for part in zip(*steps, strict=True)
    ]
    seen = Step(*stacked)
    return Trajectory(
        observation=seen.observation,
        action=action,
        log_prob=actions.log_prob(parameters, action),
        reward=along_time(outcomes, "reward"),
        terminated=along_time(outcomes, "terminated"),
        valid=along_time(outcomes, "valid"),
        truncated=along_time(outcomes, "truncated"),
        meta_episode_end=along_time(outcomes, "meta_episode_end"),
        value=value,
        final_observation=final if final_observations else None,
        steps=seen,
    )


def along_time(outcomes: list[Outcome], name: str) -> Tensor:
    """Return one field [T, B] of T outcomes."""
    return torch.stack([getattr(outcome, name) for outcome in outcomes])


@torch.no_grad()
def by_task(played: Trajectory, encode: Callable[[Tensor], Tensor], n: int) -> Trajectory:
    """Return E episodes [T, n, E] of each of n tasks, with features in place of observations.

    Args:
        played: with final observations, an episode a column, a task's columns side by side.
        encode: makes features of observations.
        n: how many tasks.
    """
    assert played.final_observation is not None, "ask `collect` for them"
    return Trajectory(
        observation=encode(played.observation).unflatten(1, (n, -1)),
        action=played.action.unflatten(1, (n, -1)),
        log_prob=played.log_prob.unflatten(1, (n, -1)),
        reward=played.reward.unflatten(1, (n, -1)),
        terminated=played.terminated.unflatten(1, (n, -1)),
        valid=played.valid.unflatten(1, (n, -1)),
        final_observation=encode(played.final_observation).unflatten(0, (n, -1)),
    )


def all_gather_trajectory(
    group: "ProcessGroup | None", own: Trajectory, num_seeds: int = 1
) -> Trajectory:
    """Return the columns of all ranks, each seed's by rank; shorter ones end in steps that don't
    count.

    Args:
        group: the ranks. own: this rank's columns [T, S x B, ...], of the same fields in all ranks.
        num_seeds: S.
    """
    if size_of(group) == 1:
        return own
    sent = {name: part for name, part in own._asdict().items() if isinstance(part, Tensor)}
    if own.steps is not None:
        # what was acted on travels once
        steps = {name: part for name, part in own.steps._asdict().items() if part is not None}
        sent = {name: part for name, part in sent.items() if name != "observation"} | steps
    if own.final_observation is not None:
        sent["final_observation"] = own.final_observation[None]
    parts = [part.unflatten(1, (num_seeds, -1)) for part in sent.values()]
    joined = dict(zip(sent, all_gather(group, parts, 2), strict=True))
    whole: dict[str, Any] = {name: part.flatten(1, 2) for name, part in joined.items()}
    if own.final_observation is not None:
        whole["final_observation"] = whole["final_observation"][0]
    if own.steps is None:
        return Trajectory(**whole)
    fields: Any = [
        whole.get(name) if name != "final_observation" else None for name in Step._fields
    ]
    seen = Step(*fields)
    rest = {
        name: part
        for name, part in whole.items()
        if name in Trajectory._fields and name != "observation"
    }
    return Trajectory(observation=seen.observation, **rest, steps=seen)


def as_long_everywhere(group: "ProcessGroup | None", own: Trajectory) -> Trajectory:
    """Return `own` with steps that don't count behind it, as many as the longest of any rank has."""
    if size_of(group) == 1:
        return own
    (lengths,) = all_gather(group, [torch.tensor([len(own.reward)])])
    length = int(lengths.max())
    along: dict[str, Any] = {
        name: filled(part, [length, *part.shape[1:]])
        for name, part in own._asdict().items()
        if isinstance(part, Tensor) and name != "final_observation"
    }
    return own._replace(**along)
