"""Checks of an agent.

What it returns, that it is deterministic, forgets, keeps rows apart, doesn't peek, and doesn't beat
the bound.
"""

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch
from scipy.stats import chi2_contingency
from torch import Tensor

from metarl.checks.bounds import ONE_SIDED, excess
from metarl.checks.global_generators import global_generators_untouched
from metarl.checks.nested import clone, difference, leaves
from metarl.checks.require import require
from metarl.checks.spaces import outside
from metarl.core.agent import Agent, SharesStream
from metarl.core.budget import Budget, Episodes
from metarl.core.capabilities import optimum_of, upper_bound_of
from metarl.core.errors import PlugInError
from metarl.core.seeding import torch_generator
from metarl.core.spaces import action_dtype
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution, Tasks, where_rows
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.evaluation.protocol import evaluate

__all__ = [
    "ACTING_CHECKS",
    "MakeAgent",
    "check_any_batch_size",
    "check_does_not_peek",
    "check_evaluation_repeats",
    "check_forgets_at_a_new_task",
    "check_global_generators_while_acting",
    "check_nothing_beats_the_bound",
    "check_row_independence",
    "check_same_inputs_same_actions",
    "check_state_and_actions",
    "check_steps_are_left_alone",
    "only_training_tasks",
    "replay",
    "watch",
]

MakeAgent = Callable[[TaskDistribution, Budget], Agent]
ROWS = 6
EVALUATED_TASKS = 1024
COPIES = 256  # rows of one history, in the statistical check of agents whose rows share a stream


def check_state_and_actions(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """The state is nested tensors with a row a task.

    Actions have the right shape and type and lie in the action space.
    """
    agent = make_agent(distribution, budget)
    who = type(agent).__name__
    require(
        isinstance(agent, Agent),
        f"{who} isn't an agent.",
        "Give it initial_state(batch_size) and act(step, state, rng).",
    )
    _check_state(f"{who}.initial_state({ROWS})", agent.initial_state(ROWS), ROWS)
    space = distribution.action_space
    tasks = distribution.sample(ROWS, "train", 0)
    env = MetaEpisodeEnv(
        distribution, budget, ROWS, torch_generator(0, "checks", "environment"), refill=False
    )
    try:
        step = env.reset(lambda rows, counts: tasks)
        state = agent.initial_state(ROWS)
        for t in range(env.max_steps):
            what = f"{who}.act at step {t + 1}"
            answer = agent.act(step, state, torch_generator(0, "checks", "call", t))
            pair = isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], Tensor)
            require(
                pair, f"{what} gave a {type(answer).__name__}.", "Return (action tensor, state)."
            )
            action, state = answer
            one_a_row = action.dim() > 0 and len(action) == ROWS
            require(
                one_a_row,
                f"{what}: actions have shape {tuple(action.shape)}.",
                f"Give one a row, {ROWS} in all.",
            )
            trouble = outside(space, action)
            require(
                trouble is None,
                f"{what}: the actions don't lie in {space}: {trouble}.",
                f"Give {action_dtype(space)} within the space.",
            )
            _check_state(what, state, ROWS)
            step, _ = env.step(action)
    finally:
        env.close()


def check_any_batch_size(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """One agent plays 1, 2 and 33 rows, one after another, past the end of a meta-episode."""
    agent = make_agent(distribution, budget)
    for rows in (1, 2, 33):
        try:
            watch(agent, distribution, budget, rows, 0, meta_episodes=2)
        except (RuntimeError, IndexError, ValueError) as error:
            message = (
                f"{type(agent).__name__} fails with {rows} rows: {error} Nothing but the state may"
                " hold a number of rows."
            )
            raise PlugInError(message) from error


def check_same_inputs_same_actions(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """The same steps and generators give the same actions, on another instance too, and while the
    agent plays elsewhere.
    """
    agent = make_agent(distribution, budget)
    who = type(agent).__name__
    steps = watch(agent, distribution, budget, ROWS, 0)
    others = watch(agent, distribution, budget, ROWS, 1)
    wanted = replay(agent, steps)
    remedy = "Keep what was learnt in the state, and draw from the generator that is passed in."
    require(
        torch.equal(wanted, replay(agent, steps)),
        f"{who} acts differently when it is shown the same steps again.",
        remedy,
    )
    twin = make_agent(distribution, budget)
    require(
        torch.equal(wanted, replay(twin, steps)),
        f"Two instances of {who}, made alike, act differently on the same steps.",
        remedy,
    )
    state = agent.initial_state(ROWS)
    other_state = agent.initial_state(ROWS)
    for t, (step, other) in enumerate(zip(steps, others, strict=True)):
        action, state = agent.act(clone(step), state, torch_generator(0, "checks", "call", t))
        _, other_state = agent.act(
            clone(other), other_state, torch_generator(1, "checks", "call", t)
        )
        same = torch.equal(action, wanted[t])
        require(
            same,
            f"{who} acts differently at step {t + 1} when it plays other tasks in between.",
            remedy,
        )


def check_global_generators_while_acting(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """Building the agent and acting leave the global random generators alone."""
    with global_generators_untouched("Building the agent"):
        agent = make_agent(distribution, budget)
    with global_generators_untouched(f"{type(agent).__name__}.act"):
        watch(agent, distribution, budget, ROWS, 0)


def check_steps_are_left_alone(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """`act` doesn't change the step that it is given (its own state it may)."""
    agent = make_agent(distribution, budget)
    steps = watch(agent, distribution, budget, ROWS, 0)
    state = agent.initial_state(ROWS)
    for t, step in enumerate(steps):
        given = clone(step)
        _, state = agent.act(given, state, torch_generator(0, "checks", "call", t))
        where = difference(step, given)
        require(
            where is None,
            f"{type(agent).__name__}.act changes {where} of its step at step {t + 1}.",
            "Work on new tensors.",
        )


def check_forgets_at_a_new_task(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """Rows that `meta_episode_start` flags act as if from `initial_state`, and rows that play on
    aren't disturbed by that.
    """
    agent = make_agent(distribution, budget)
    who = type(agent).__name__
    remedy = (
        "At the start of act, put the rows of step.meta_episode_start back to initial_state, and"
        " those only."
    )
    steps = watch(agent, distribution, budget, ROWS, 0)
    most = len(steps)
    together = replay(agent, steps + steps)
    same = torch.equal(together[most:], replay(agent, steps, first=most))
    require(
        same,
        f"{who} doesn't forget the last task: its second meta-episode differs from a first one with"
        " the same steps.",
        remedy,
    )
    if shares_stream(agent):
        return
    # These rows get a new task in the middle of the others' meta-episode
    late = torch.arange(ROWS) % 2 == 1
    middle = (most + 1) // 2
    early_rows = steps + steps[:middle]
    late_rows = steps[:middle] + steps
    staggered = replay(
        agent, [where_rows(late, b, a) for a, b in zip(early_rows, late_rows, strict=True)]
    )
    same = torch.equal(staggered[:most, ~late], replay(agent, steps)[:, ~late])
    require(
        same,
        f"{who} acts differently in rows that play on when the task of another row changes.",
        remedy,
    )
    fresh = replay(agent, steps, first=middle)
    same = torch.equal(staggered[middle:, late], fresh[:, late])
    require(
        same,
        f"{who} doesn't forget the last task in rows whose task changes while others play on.",
        remedy,
    )


def check_row_independence(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """A row acts the same whatever the other rows see.

    Exactly, or in distribution where the class declares `shares_stream`.
    """
    agent = make_agent(distribution, budget)
    if shares_stream(agent):
        _check_rows_in_distribution(agent, distribution, budget)
        return
    steps = watch(agent, distribution, budget, ROWS, 0)
    others = watch(agent, distribution, budget, ROWS, 1)
    wanted = replay(agent, steps)
    for kept in ([0], [ROWS - 1], [0, 2, 4]):
        changed = torch.ones(ROWS, dtype=torch.bool)
        changed[kept] = False
        mixed = replay(
            agent, [where_rows(changed, b, a) for a, b in zip(steps, others, strict=True)]
        )
        require(
            torch.equal(mixed[:, kept], wanted[:, kept]),
            f"{type(agent).__name__}: rows {kept} of {ROWS} act differently when the other rows see"
            " other things.",
            "Let each row use its own history only and draw noise in a fixed shape; "
            "an agent that must reject samples declares shares_stream = True.",
        )


def check_does_not_peek(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """The agent draws training tasks at most, and shown the same steps it acts the same whichever
    tasks are being played.
    """
    watched = only_training_tasks(distribution, "The agent")
    agent = make_agent(watched, budget)
    tasks = distribution.sample(ROWS, "train", 0)
    others = distribution.sample(ROWS, "train", 1)
    steps = watch(agent, watched, budget, ROWS, 0, tasks=tasks)
    wanted = replay(agent, steps)
    for hidden in (others, tasks.map(lambda tensor: tensor.flip(0))):
        # Whatever keeps the task being played now holds these
        watch(agent, watched, budget, ROWS, 1, tasks=hidden)
        require(
            torch.equal(replay(agent, steps), wanted),
            f"{type(agent).__name__} acts differently on the same steps when other tasks are being"
            " played: it sees more than its steps.",
            "Let it learn of the task from observations, actions and rewards alone.",
        )


def check_nothing_beats_the_bound(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """The mean total over held-out tasks isn't above the optimum, or the upper bound where that
    isn't known (one-sided, 99.9 %).
    """
    if not isinstance(budget, Episodes):
        return
    agent = make_agent(distribution, budget)
    optimum = optimum_of(distribution, budget.total)
    bound = (
        upper_bound_of(distribution, distribution.sample(EVALUATED_TASKS, "test", 17), budget.total)
        if optimum is None
        else None
    )
    if optimum is None and bound is None:
        return
    scores = torch.from_numpy(
        evaluate(agent, distribution, "test", EVALUATED_TASKS, 17, budget).scores("total")
    )
    above = excess(scores, bound if optimum is None else optimum)  # type: ignore[arg-type]
    name = "upper bound" if optimum is None else "optimum"
    require(
        above <= ONE_SIDED,
        f"{type(agent).__name__} scores {float(scores.mean()):.6g} on {distribution.id},"
        f" {above:.1f} standard errors above the {name}.",
        "Nothing beats it: look for information that reaches the agent although it shouldn't.",
    )


def check_evaluation_repeats(
    make_agent: MakeAgent, distribution: TaskDistribution, budget: Budget
) -> None:
    """Two evaluations with the same seed give the same episodes."""
    agent = make_agent(distribution, budget)
    first, second = (
        evaluate(agent, distribution, "test", 40, 5, budget, record_actions=True) for _ in range(2)
    )
    same = bool((first.actions == second.actions).all()) and first.rows().equals(second.rows())  # type: ignore[union-attr]
    require(
        same,
        f"{type(agent).__name__} plays the same evaluation differently a second time.",
        "Keep everything in the state and draw from rng.",
    )


ACTING_CHECKS = (
    check_state_and_actions,
    check_any_batch_size,
    check_same_inputs_same_actions,
    check_global_generators_while_acting,
    check_steps_are_left_alone,
    check_forgets_at_a_new_task,
    check_row_independence,
    check_does_not_peek,
    check_nothing_beats_the_bound,
    check_evaluation_repeats,
)


def shares_stream(agent: Agent) -> bool:
    """Return whether the agent declares that how much randomness one row draws may depend on
    another's (rejection sampling).
    """
    return isinstance(agent, SharesStream) and agent.shares_stream


@torch.no_grad()
def watch(
    agent: Agent,
    distribution: TaskDistribution,
    budget: Budget,
    rows: int,
    seed: int,
    *,
    tasks: Tasks | None = None,
    meta_episodes: int = 1,
) -> list[Step]:
    """Return the steps that `agent` sees when it plays `meta_episodes` meta-episodes in each of
    `rows` tasks.
    """
    tasks = distribution.sample(rows, "train", seed) if tasks is None else tasks
    env = MetaEpisodeEnv(
        distribution,
        budget,
        rows,
        torch_generator(seed, "checks", "environment"),
        refill=meta_episodes > 1,
    )
    rng = torch_generator(seed, "checks", "agent")
    steps = []
    try:
        step = env.reset(lambda row, count: tasks[row])
        state = agent.initial_state(rows)
        for _ in range(env.max_steps * meta_episodes):
            steps.append(clone(step))
            action, state = agent.act(step, state, rng)
            step, _ = env.step(action)
    finally:
        env.close()
    return steps


@torch.no_grad()
def replay(agent: Agent, steps: list[Step], first: int = 0) -> Tensor:
    """Show `steps` to the agent from a fresh state.

    Call t draws from stream first + t. Returns its actions [T, B, *act].
    """
    state = agent.initial_state(len(steps[0].prev_reward))
    actions = []
    for t, step in enumerate(steps):
        action, state = agent.act(
            clone(step), state, torch_generator(0, "checks", "call", first + t)
        )
        actions.append(action.clone())
    return torch.stack(actions)


def only_training_tasks(distribution: TaskDistribution, who: str) -> Any:
    """Return a copy of `distribution` whose `sample` refuses every split but train."""
    copied = copy.copy(distribution)

    def sample(n: int, split: str, seed: int) -> Tasks:
        require(
            split == "train",
            f"{who} drew tasks of split {split!r}.",
            "Only evaluation may: train, tune and search on split 'train'.",
        )
        return distribution.sample(n, split, seed)

    object.__setattr__(copied, "sample", sample)
    return copied


def _check_rows_in_distribution(
    agent: Agent, distribution: TaskDistribution, budget: Budget
) -> None:
    """Many rows of one history, beside two different companies.

    How often each action is chosen stays the same (χ² test).
    """
    space = distribution.action_space
    if not isinstance(space, gym.spaces.Discrete):
        return
    steps = watch(agent, distribution, budget, 3, 0)
    chosen = []
    for companion in (1, 2):
        index = torch.tensor([0, companion]).repeat_interleave(COPIES)
        chosen.append(
            replay(agent, [Step(*(part[index] for part in step)) for step in steps])[:, :COPIES]
            - int(space.start)
        )
    for t in range(len(steps)):
        counts = torch.stack(
            [torch.bincount(actions[t], minlength=int(space.n)) for actions in chosen]
        ).numpy()
        counts = counts[:, counts.sum(0) > 0]
        probability = float(chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0
        require(
            probability * len(steps) > 1e-6,
            f"{type(agent).__name__}: at step {t + 1} rows of one history act differently beside"
            f" other rows (p = {probability:.1g}).",
            "Let each row use its own history only.",
        )


def _check_state(what: str, state: Any, rows: int) -> None:
    if isinstance(state, list):  # an object of any kind for each row
        require(
            len(state) == rows,
            f"{what}: the state is a list of {len(state)}.",
            f"It has an entry for each of {rows} rows.",
        )
        return
    for path, leaf in leaves(state):
        if leaf is None:
            continue
        fits = isinstance(leaf, Tensor) and leaf.dim() >= 1 and len(leaf) == rows
        found = f"shape {tuple(leaf.shape)}" if isinstance(leaf, Tensor) else type(leaf).__name__
        require(
            fits,
            f"{what}: the state{path and f' at {path}'} is {found}.",
            f"The state is made of nested tuples of tensors with {rows} rows, or a list with an"
            " entry for each row.",
        )
