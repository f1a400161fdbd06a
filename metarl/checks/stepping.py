"""Checks of a tensor family's `reset` and `step`.

Shapes, purity, independent rows, noise of a fixed shape.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Generator, Tensor

from metarl.checks.global_generators import global_generators_untouched
from metarl.checks.nested import clone, difference, floats, leaves
from metarl.checks.playing import Play, actions_for, play
from metarl.checks.require import require
from metarl.checks.spaces import outside, random_actions
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition

__all__ = [
    "STEPPING_CHECKS",
    "check_global_generators_while_stepping",
    "check_inputs_are_left_alone",
    "check_no_hidden_state",
    "check_noise_has_a_fixed_shape",
    "check_reset_and_step",
    "check_rows_are_independent",
    "check_rows_have_noise_of_their_own",
]

Make = Callable[[], TaskDistribution]
STEPS = 40  # most steps of one play: several episodes of a short family, the start of a long one's


def check_reset_and_step(make_distribution: Make) -> None:
    """Shapes, types and values of `reset` and `step` fit the spaces, in float32 and in float64."""
    distribution = make_distribution()
    for dtype in (torch.float32, torch.float64):
        for n in (1, 6):
            tasks = distribution.sample(n, "train", 0).to("cpu", dtype)
            rng = torch_generator(0, "checks", "noise")
            choice = torch_generator(0, "checks", "actions")
            state, observation = distribution.reset(tasks, rng)
            _check_observation(
                f"{distribution.id}: reset of {n} tasks", distribution, observation, n
            )
            _check_state(f"{distribution.id}: reset of {n} tasks", state, n)
            for t in range(min(STEPS, distribution.horizon)):
                what = f"{distribution.id}: step {t + 1} of {n} tasks"
                transition = distribution.step(
                    tasks, state, random_actions(distribution.action_space, n, choice), rng
                )
                require(
                    isinstance(transition, Transition),
                    f"{what} gave a {type(transition).__name__}.",
                    "Return metarl.Transition(...).",
                )
                _check_observation(what, distribution, transition.observation, n)
                _check_state(what, transition.state, n)
                reward = transition.reward
                require(
                    isinstance(reward, Tensor) and tuple(reward.shape) == (n,),
                    f"{what}: the reward has shape {tuple(reward.shape)}.",
                    f"One number a task: ({n},).",
                )
                require(
                    reward.is_floating_point(),
                    f"{what}: the reward is {reward.dtype}.",
                    "Give floating numbers.",
                )
                require(
                    bool(torch.isfinite(reward).all()),
                    f"{what}: a reward is not finite (NaN or infinite).",
                    "Give finite rewards.",
                )
                _check_flags(what, transition, n)
                state = transition.state


def check_inputs_are_left_alone(make_distribution: Make) -> None:
    """`reset` and `step` change neither tasks nor state nor action."""
    distribution = make_distribution()
    tasks = distribution.sample(6, "train", 0)
    rng = torch_generator(0, "checks", "noise")
    choice = torch_generator(0, "checks", "actions")
    kept_tasks = clone(tasks)
    state, _ = distribution.reset(tasks, rng)
    require(
        difference(tasks, kept_tasks) is None,
        f"{distribution.id}: reset changes its tasks.",
        "Work on new tensors.",
    )
    for _ in range(min(STEPS, distribution.horizon)):
        action = random_actions(distribution.action_space, 6, choice)
        kept_state = clone(state)
        kept_action = clone(action)
        transition = distribution.step(tasks, state, action, rng)
        for name, now, before in (
            ("tasks", tasks, kept_tasks),
            ("state", state, kept_state),
            ("action", action, kept_action),
        ):
            where = difference(now, before)
            require(
                where is None,
                f"{distribution.id}: step changes its {name} in place ({where}).",
                "Return new tensors; no operations that end in _.",
            )
        state = transition.state


def check_no_hidden_state(make_distribution: Make) -> None:
    """A play is the same on another instance, and when other plays and draws happen between its
    steps.
    """
    distribution = make_distribution()
    tasks = distribution.sample(6, "train", 0)
    actions = actions_for(distribution, STEPS, 6, 0)
    wanted = play(distribution, tasks, actions, torch_generator(0, "checks", "noise"))
    remedy = (
        "Keep nothing in the instance: what an episode needs goes through `state`, and randomness"
        " through `rng`."
    )
    other = play(make_distribution(), tasks, actions, torch_generator(0, "checks", "noise"))
    where = difference(wanted, other)
    require(
        where is None,
        f"{distribution.id}: two instances made alike play differently ({where}).",
        remedy,
    )
    again = play(distribution, tasks, actions, torch_generator(0, "checks", "noise"))
    where = difference(wanted, again)
    require(
        where is None,
        f"{distribution.id}: the same play comes out differently a second time ({where}).",
        remedy,
    )
    disturbed = play(
        cast(TaskDistribution, Disturbed(distribution)),
        tasks,
        actions,
        torch_generator(0, "checks", "noise"),
    )
    where = difference(wanted, disturbed)
    require(
        where is None,
        f"{distribution.id}: a play changes when another one happens between its steps ({where}).",
        remedy,
    )


def check_rows_are_independent(make_distribution: Make) -> None:
    """A row plays exactly the same whatever tasks and actions the other rows have."""
    distribution = make_distribution()
    n = 6
    tasks = distribution.sample(n, "train", 0)
    others = distribution.sample(n, "train", 1)
    actions = actions_for(distribution, STEPS, n, 0)
    other_actions = actions_for(distribution, STEPS, n, 1)
    wanted = play(distribution, tasks, actions, torch_generator(0, "checks", "noise"))
    for kept in ([0], [n - 1], [0, 2, 4], [1, 2]):
        changed = torch.ones(n, dtype=torch.bool)
        changed[kept] = False
        mixed = torch.where(changed.reshape(n, *[1] * (actions.dim() - 2)), other_actions, actions)
        played = play(
            distribution, tasks.where(changed, others), mixed, torch_generator(0, "checks", "noise")
        )
        where = difference(
            Play(*(part[:, kept] for part in wanted)), Play(*(part[:, kept] for part in played))
        )
        require(
            where is None,
            f"{distribution.id}: rows {kept} of {n} change when the tasks and actions of the other"
            f" rows do ({where}).",
            "Let each row use its own task, state and action only, and draw noise in a shape that"
            " no value changes.",
        )


def check_noise_has_a_fixed_shape(make_distribution: Make) -> None:
    """How much randomness `reset` and `step` draw depends on the number of tasks alone."""
    distribution = make_distribution()
    n = 6
    states = []
    for seed in range(3):
        rng = torch_generator(0, "checks", "noise")
        tasks = distribution.sample(n, "train", seed)
        actions = actions_for(distribution, STEPS, n, seed)
        drawn = []
        state, _ = distribution.reset(tasks, rng)
        drawn.append(rng.get_state())
        for action in actions[: distribution.horizon]:
            state = distribution.step(tasks, state, action, rng).state
            drawn.append(rng.get_state())
        states.append(drawn)
    for t, (first, *rest) in enumerate(zip(*states, strict=True)):
        require(
            all(torch.equal(first, other) for other in rest),
            f"{distribution.id}: {f'step {t}' if t else 'reset'} draws more or less noise depending"
            " on tasks or actions.",
            "Draw the same shapes at every call, for all rows, and use what is needed (no"
            " rejection, no draw under an `if`).",
        )


def check_rows_have_noise_of_their_own(make_distribution: Make) -> None:
    """Rows of one task that act alike differ as much as plays with different seeds do.

    So do a row's successive episodes.
    """
    distribution = make_distribution()
    tasks = distribution.sample(2, "train", 0)
    for task in range(2):
        for steps in (2, 64):
            n = 8
            across_seeds, across_rows, across_time = _distinct_plays(
                distribution, tasks[torch.full((n,), task)], steps, task
            )
            if across_seeds == across_rows == across_time == n:
                break  # longer plays can't be more different: slow simulators are spared them
        require(
            2 * across_rows > across_seeds,
            f"{distribution.id}: {n} rows of one task that act alike show {across_rows} different"
            f" plays, {n} seeds show {across_seeds}.",
            "Draw noise for every row: shape [n, ...], with n the number of tasks.",
        )
        require(
            2 * across_time > across_seeds,
            f"{distribution.id}: {n} successive plays of one task show {across_time} different"
            f" ones, {n} seeds show {across_seeds}.",
            "Draw from the generator that is passed in; don't make another one.",
        )


def _distinct_plays(
    distribution: TaskDistribution, same: Tasks, steps: int, seed: int
) -> tuple[int, int, int]:
    """Return how many of n plays of n rows that act alike are different.

    With n seeds, in n rows, and n times after each other.
    """
    n = len(same)
    actions = actions_for(distribution, steps, 1, seed).expand(
        -1, n, *[-1] * len(distribution.action_space.shape or ())
    )
    plays = [
        play(distribution, same, actions, torch_generator(i, "checks", "noise")) for i in range(n)
    ]
    rng = torch_generator(0, "checks", "noise")
    across_time = _distinct([_traces(play(distribution, same, actions, rng))[0] for _ in range(n)])
    return _distinct([_traces(one)[0] for one in plays]), _distinct(_traces(plays[0])), across_time


def check_global_generators_while_stepping(make_distribution: Make) -> None:
    """`reset` and `step` leave the global random generators alone."""
    distribution = make_distribution()
    tasks = distribution.sample(4, "train", 0)
    actions = actions_for(distribution, STEPS, 4, 0)
    with global_generators_untouched(f"{distribution.id}: reset or step"):
        play(distribution, tasks, actions, torch_generator(0, "checks", "noise"))


STEPPING_CHECKS = (
    check_reset_and_step,
    check_inputs_are_left_alone,
    check_no_hidden_state,
    check_rows_are_independent,
    check_noise_has_a_fixed_shape,
    check_rows_have_noise_of_their_own,
    check_global_generators_while_stepping,
)


class Disturbed:
    """A distribution that draws other tasks and plays them between any two calls."""

    def __init__(self, distribution: TaskDistribution):
        self.distribution = distribution
        self.horizon = distribution.horizon
        self.calls = 0

    def reset(self, tasks: Tasks, rng: Generator) -> tuple[Any, Tensor]:
        """As the distribution, after a disturbance."""
        self._disturb()
        return self.distribution.reset(tasks, rng)

    def step(self, tasks: Tasks, state: Any, action: Tensor, rng: Generator) -> Transition:
        """As the distribution, after a disturbance."""
        self._disturb()
        return self.distribution.step(tasks, state, action, rng)

    def _disturb(self) -> None:
        self.calls += 1
        tasks = self.distribution.sample(3, "test", self.calls)
        play(
            self.distribution,
            tasks,
            actions_for(self.distribution, 2, 3, self.calls),
            torch_generator(self.calls, "checks", "disturbance"),
        )


def _traces(played: Play) -> list[bytes]:
    """Everything that each row showed, as bytes."""
    table = torch.cat([floats(part.transpose(0, 1).contiguous()) for part in played], 1).numpy()
    return [row.tobytes() for row in table]


def _distinct(traces: list[bytes]) -> int:
    return len(set(traces))


def _check_observation(
    what: str, distribution: TaskDistribution, observation: Tensor, n: int
) -> None:
    space = distribution.observation_space
    require(
        isinstance(observation, Tensor),
        f"{what}: the observation is a {type(observation).__name__}.",
        "Give a tensor [n, *observation].",
    )
    wanted = (n, *(space.shape or ()))
    require(
        tuple(observation.shape) == wanted,
        f"{what}: observations have shape {tuple(observation.shape)}.",
        f"{space} needs {wanted}.",
    )
    trouble = outside(space, observation)
    require(
        trouble is None,
        f"{what}: observations don't lie in {space}: {trouble}.",
        "Correct the space or the values.",
    )


def _check_state(what: str, state: Any, n: int) -> None:
    for path, leaf in leaves(state):
        fits = isinstance(leaf, Tensor) and leaf.dim() >= 1 and len(leaf) == n
        shape = tuple(leaf.shape) if isinstance(leaf, Tensor) else type(leaf).__name__
        require(
            fits,
            f"{what}: the state{path and f' at {path}'} is {shape}.",
            f"The state is made of nested tuples of tensors with {n} rows.",
        )


def _check_flags(what: str, transition: Transition, n: int) -> None:
    for name in ("terminated", "success", "truncated"):
        flag = getattr(transition, name)
        if flag is None and name == "truncated":
            continue
        fits = isinstance(flag, Tensor) and flag.dtype == torch.bool and tuple(flag.shape) == (n,)
        found = (
            f"{flag.dtype} {tuple(flag.shape)}" if isinstance(flag, Tensor) else type(flag).__name__
        )
        require(fits, f"{what}: {name} is {found}.", f"Give booleans of shape ({n},).")
