"""A user's own policy: what is asked of it, tried on a copy before anything is trained."""

import copy
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_map

from metarl.core.seeding import global_states
from metarl.core.spaces import action_dtype, observation_dtype
from metarl.core.step import Step
from metarl.networks.actions import action_distribution
from metarl.networks.cores.attention import Attention
from metarl.networks.policies.policy import MemoryPolicy, PolicyOutput, Reach
from metarl.networks.policies.stacked import StackedPolicy

__all__ = ["OwnPolicy", "own_policies"]

ROWS = 2
# That a user's code makes
MISTAKES = (
    RuntimeError,
    TypeError,
    AttributeError,
    IndexError,
    KeyError,
    ValueError,
    AssertionError,
)


@runtime_checkable
class ReadsSequences(Protocol):
    """A module that reads whole meta-episodes in parallel."""

    def sequence(self, steps: Step) -> PolicyOutput:
        """Return what it says along `steps` [T, B, ...], as step by step from its first state."""
        ...


@runtime_checkable
class LearnsMoments(Protocol):
    """A module with normalisers of its own."""

    def learn_moments(self, steps: Step, valid: torch.Tensor) -> None:
        """Take in the `steps` [T, B, ...] of a rollout that are `valid` [T, B]."""
        ...


class OwnPolicy(nn.Module):
    """A user's module with what `MemoryPolicy` asks beside `initial_state` and `forward`.

    The module's own `sequence` and `learn_moments` are used where it has them. It is saved under
    the module's own names.

    Args:
        own: the module.
    """

    def __init__(self, own: Any):
        super().__init__()
        self.own = own

    def initial_state(self, batch_size: int) -> Any:
        """Return the module's memory of `batch_size` rows that have seen nothing."""
        return self.own.initial_state(batch_size)

    def forward(self, step: Step, state: Any) -> tuple[PolicyOutput, Any]:
        """Take one step of B rows."""
        output: tuple[PolicyOutput, Any] = self.own(step, state)
        return output

    def sequence(self, steps: Step) -> PolicyOutput:
        """Return what it says along whole meta-episodes [T, B, ...].

        In parallel if it can, else step by step.
        """
        if isinstance(self.own, ReadsSequences):
            return self.own.sequence(steps)
        state = self.own.initial_state(steps.prev_reward.shape[1])
        outputs = []
        for t in range(len(steps.prev_reward)):
            output, state = self.own(steps.apply(itemgetter(t)), state)
            outputs.append(output)
        parameters = torch.stack([output.parameters for output in outputs])
        return PolicyOutput(parameters, torch.stack([output.value for output in outputs]))

    def preprocess(self, steps: Step, valid: torch.Tensor) -> Step:
        """Return `steps`, which the module reads itself."""
        return steps

    def learn_moments(self, steps: Step, valid: torch.Tensor) -> None:
        """Take a rollout into the module's normalisers, if it has any."""
        if isinstance(self.own, LearnsMoments):
            self.own.learn_moments(steps, valid)

    def under_budget(self, max_steps: int) -> Reach:
        """Return itself, and the steps that an attention core within it can remember.

        Raises:
            ValueError: those are fewer than `max_steps`.
        """
        lengths = [
            module.max_steps for module in self.own.modules() if isinstance(module, Attention)
        ]
        if lengths and max_steps > min(lengths):
            raise ValueError(
                f"{type(self.own).__name__} remembers {min(lengths)} steps and can't act for "
                f"{max_steps}; train it with more episodes or use a recurrent core."
            )
        return Reach(self, min(lengths) if lengths else None)

    def lengthened(
        self, weights: dict[str, torch.Tensor], max_steps: int
    ) -> dict[str, torch.Tensor]:
        """Return `weights`: what of a user's module depends on the length, nobody else knows."""
        return weights

    def state_dict(self, *arguments: Any, **named: Any) -> Any:
        """Return the module's own state."""
        return self.own.state_dict(*arguments, **named)

    def load_state_dict(self, *arguments: Any, **named: Any) -> Any:
        """Load the module's own state."""
        return self.own.load_state_dict(*arguments, **named)


def as_policy(module: Any) -> Any:
    """Return `module` if it is all that learners ask for, else with the rest added."""
    return module if isinstance(module, MemoryPolicy) else OwnPolicy(module)


def own_policies(
    given: Sequence[Any],
    observation_space: gym.Space,
    action_space: gym.Space,
    device: torch.device,
) -> list[nn.Module]:
    """Copies on `device` of the policies that a user's factory made, one a seed; whoever else holds
    the originals doesn't train them.

    Raises:
        ValueError: they aren't policies, don't put out what `action_space` needs, draw from a
            global generator, are one and the same for several seeds, or can't be computed in one
            batch.
    """
    for policy in given:
        if not isinstance(policy, nn.Module) or not callable(
            getattr(policy, "initial_state", None)
        ):
            raise ValueError(
                "make_policy must return a torch.nn.Module with initial_state(batch_size) and"
                f" forward(step, state), not {policy!r:.80}."
            )
    name = type(given[0]).__name__
    parameters = [id(parameter) for policy in given for parameter in policy.parameters()]
    if len(set(parameters)) < len(parameters):
        raise ValueError(
            f"make_policy gave the same {name}, or parts of it, for several seeds; let every call"
            " make a new one."
        )
    try:
        policies = [copy.deepcopy(policy).to(device) for policy in given]
    except MISTAKES as error:
        raise ValueError(
            f"{name} can't be copied ({error}); keep what it computes out of its attributes."
        ) from error
    step = first_steps(observation_space, action_space, device)
    with torch.random.fork_rng():
        check_policy(copy.deepcopy(policies[0]), step, action_space)
        if len(policies) > 1:
            check_stack(copy.deepcopy(policies), step)
    return [as_policy(policy) for policy in policies]


def first_steps(
    observation_space: gym.Space, action_space: gym.Space, device: torch.device
) -> Step:
    """Return the first step of a meta-episode in two rows, which show the smallest observation of a
    discrete space, or zeros.
    """
    first = torch.as_tensor(np.array(getattr(observation_space, "start", 0)))
    observation = (
        torch.zeros(
            (ROWS, *(observation_space.shape or ())), dtype=observation_dtype(observation_space)
        )
        + first
    )
    observation = observation.to(observation_dtype(observation_space))
    action = torch.zeros((ROWS, *(action_space.shape or ())), dtype=action_dtype(action_space))
    yes = torch.ones(ROWS, dtype=torch.bool)
    step = Step(observation, action, torch.zeros(ROWS), ~yes, ~yes, observation, yes)
    return Step(*(field.to(device) for field in step))


@torch.no_grad()
def check_policy(policy: Any, step: Step, action_space: gym.Space) -> None:
    """Raise ValueError unless `policy` puts out what actions of `action_space` need, and draws
    nothing from a global generator.
    """
    name = type(policy).__name__
    before = global_states()
    try:
        answer = policy(step, policy.initial_state(ROWS))
        check_answer(name, answer, action_space)
        as_policy(policy).sequence(sequence_of(step))
    except MISTAKES as error:
        if isinstance(error, ValueError) and str(error).startswith(name):
            raise
        raise ValueError(
            f"{name} can't compute the first step of {ROWS} rows ({type(error).__name__}: {error})."
        ) from error
    if global_states() != before:
        raise ValueError(
            f"{name} draws from a global generator when it computes, as dropout does: a seed"
            " wouldn't decide what is learned, and what it says in training wouldn't be what it"
            " acted by. Leave such layers out, or call eval() on them."
        )


def check_answer(name: str, answer: Any, action_space: gym.Space) -> None:
    """Raise ValueError unless `answer` is (PolicyOutput, state) of the shapes that two rows need,
    in finite numbers.
    """
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], PolicyOutput)):
        raise ValueError(f"{name}'s forward must return (PolicyOutput(parameters, value), state).")
    output = answer[0]
    for field, value in zip(output._fields, output, strict=True):
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            kind = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
            raise ValueError(
                f"{name} puts out {field} that aren't a tensor of floating numbers but {kind}; see"
                " PolicyOutput."
            )
    wanted = (ROWS, action_distribution(action_space).num_parameters)
    found = tuple(output.parameters.shape)
    if found != wanted or tuple(output.value.shape) != (ROWS,):
        raise ValueError(
            f"{name} puts out parameters {found} and values {tuple(output.value.shape)} for {ROWS}"
            f" rows; {action_space} needs {wanted} and {(ROWS,)}."
        )
    for field, value in zip(output._fields, output, strict=True):
        if not bool(value.isfinite().all()):
            raise ValueError(
                f"{name} puts out {field} that aren't finite (NaN or infinite) for the first step;"
                " look at its weights and arithmetic. To rule out an action, give it a large"
                " negative number such as -1e9."
            )


def check_stack(policies: Sequence[nn.Module], step: Step) -> None:
    """Raise ValueError unless `policies`, one a seed, give in one batch what each gives alone,
    forwards and backwards.
    """
    name = type(policies[0]).__name__
    seeds = len(policies)
    repeated = tree_map(lambda tensor: torch.cat([tensor] * seeds), step)
    try:
        stacked = StackedPolicy([as_policy(policy) for policy in policies])
        together = stacked(repeated, stacked.initial_state(ROWS * seeds))[0].parameters
        output = stacked.sequence(sequence_of(repeated))
        (output.parameters.sum() + output.value.sum()).backward()
    except MISTAKES as error:
        raise ValueError(
            f"{name} can't be computed for {seeds} seeds in one batch"
            f" ({str(error).splitlines()[0]}). Train one seed at a time, or write the layer out:"
            " nn.GRUCell or nn.RNNCell for recurrent layers, LayerNorm for BatchNorm."
        ) from error
    with torch.no_grad():
        outputs = [policy(step, policy.initial_state(ROWS))[0] for policy in policies]  # type: ignore[operator]
        alone = torch.cat([output.parameters for output in outputs])
    if not torch.allclose(alone, together, rtol=1e-3, atol=1e-4):
        raise ValueError(
            f"{name} gives something else for {seeds} seeds in one batch than for each alone; keep"
            " all that differs between seeds in parameters and buffers, or train one seed at a"
            " time."
        )


def sequence_of(step: Step) -> Step:
    """Return a meta-episode of two such steps, the second within its episode."""
    later = step._replace(meta_episode_start=torch.zeros_like(step.meta_episode_start))
    return Step(*(torch.stack(pair) for pair in zip(step, later, strict=True)))
