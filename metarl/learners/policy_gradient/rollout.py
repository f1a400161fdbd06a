"""Collect trajectories of meta-episodes: one meta-episode a column, time first."""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Generator, Tensor

from metarl.core.errors import PlugInError
from metarl.core.step import Step
from metarl.core.task_distribution import TaskSource
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.data_parallel import all_gather, size_of
from metarl.networks.actions import ActionDistribution
from metarl.networks.finite import all_finite, check_output

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["Rollout", "all_gather_rollout", "collect"]


class Rollout(NamedTuple):
    """B meta-episodes of at most T steps."""

    steps: Step  # [T, B, ...] what the policy saw; final_observation is not kept
    action: Tensor  # [T, B, *act] as drawn, before clipping to a box
    log_prob: Tensor  # [T, B] of `action`
    value: Tensor  # [T, B] as the policy put it out
    reward: Tensor  # [T, B]
    terminated: Tensor  # [T, B] bool
    truncated: Tensor  # [T, B] bool
    meta_episode_end: Tensor  # [T, B] bool
    valid: Tensor  # [T, B] bool: false after a row's meta-episode is over
    final_observation: Tensor | None = None  # [T, B, *obs] what each step showed, before any reset; kept where it is asked for


@torch.no_grad()
def collect(
    env: MetaEpisodeEnv, policy: Any, actions: ActionDistribution, source: TaskSource, rng: Generator, final_observations: bool = False
) -> Rollout:
    """Play one meta-episode in every row of `env` (made with refill=False), drawing actions from `policy`.

    Raises:
        ValueError: the policy puts out numbers that aren't finite. PlugInError: the distribution broke its contract.

    Args:
        env: the rows. policy: initial_state and forward. actions: distributions over the action space.
        source: tasks. rng: draws the actions.
        final_observations: keep what each step showed, which learners of single episodes value where an episode is truncated.
    """
    step = env.reset(source)
    state = policy.initial_state(env.num_envs)
    steps, taken, outputs, outcomes = [], [], [], []
    for t in range(env.max_steps):
        output, state = policy(step, state)
        action = actions.sample(output.parameters, rng)
        steps.append(step._replace(final_observation=step.prev_reward))  # policies don't read it; don't hold it
        try:
            step, outcome = env.step(actions.to_environment(action))
        except PlugInError:
            check_output("The policy in training", output.parameters)
            raise
        taken.append(action)
        outputs.append(output)
        outcomes.append(outcome)
        if t % 16 == 15 and not bool((outcome.valid & ~outcome.meta_episode_end).any()):
            break
    env.check()
    action, parameters = torch.stack(taken), torch.stack([output.parameters for output in outputs])
    value = torch.stack([output.value for output in outputs])
    if not all_finite([parameters, value]):
        check_output("The policy in training", parameters.cpu().transpose(0, 1), value.cpu().t())
    return Rollout(
        Step(*(torch.stack(field) for field in zip(*steps, strict=True))),
        action,
        actions.log_prob(parameters, action),
        value,
        torch.stack([outcome.reward for outcome in outcomes]),
        torch.stack([outcome.terminated for outcome in outcomes]),
        torch.stack([outcome.truncated for outcome in outcomes]),
        torch.stack([outcome.meta_episode_end for outcome in outcomes]),
        torch.stack([outcome.valid for outcome in outcomes]),
        torch.stack([outcome.final_observation for outcome in outcomes]) if final_observations else None,
    )


def all_gather_rollout(group: "ProcessGroup | None", rollout: Rollout, num_seeds: int) -> Rollout:
    """Return the rollout of all ranks, each seed's columns by rank; shorter ones are filled up with steps that don't count."""
    if size_of(group) == 1:
        return rollout
    # `final_observation` only holds a place in a rollout
    kept = [name for name in Step._fields if name != "final_observation"]
    own = [getattr(rollout.steps, name) for name in kept] + [part for part in rollout[1:] if part is not None]
    joined = all_gather(group, [part.unflatten(1, (num_seeds, -1)) for part in own], 2)
    whole = [part.flatten(1, 2) for part in joined]
    steps = dict(zip(kept, whole, strict=False))
    return Rollout(Step(**steps, final_observation=steps["prev_reward"]), *whole[len(kept) :])
