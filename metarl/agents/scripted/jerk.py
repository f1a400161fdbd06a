"""JERK, "just enough retained knowledge" (Nichol et al. 2018, arXiv 1804.03720, section 4.3): run
right, jump at random, repeat what paid.

It never looks at an observation. An episode either explores, or repeats the best sequence of
actions that earlier episodes found, the more often the later: with probability `exploit` plus the
share of the budget that is spent.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.budget import Budget, max_steps
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.games.running import Running, SaysRunning

__all__ = ["JERK"]

# how long it runs one way
RIGHT_STEPS = 100
LEFT_STEPS = 70
# probability of a jump at each step, and for how many steps it is held
JUMP = 0.1
JUMP_STEPS = 4


@dataclass
class Solution:
    """A sequence of actions, and the return of each episode that played it."""

    actions: list[int]
    returns: list[float]

    @property
    def mean(self) -> float:
        """What it is worth."""
        return sum(self.returns) / len(self.returns)


@dataclass
class Row:
    """What it remembers of one task."""

    solutions: list[Solution] = field(default_factory=list)
    repeated: Solution | None = None  # in this episode; None explores
    actions: list[int] = field(default_factory=list)  # of this episode
    rewards: list[float] = field(default_factory=list)
    spent: int = 0  # steps of the budget
    left: bool = False  # which way it runs,
    run: int = 0  # for how many steps so far,
    gained: float = 0.0  # and with what reward
    held: int = 0  # steps that a jump is still held

    def note(self, reward: float) -> None:
        """What the last action brought."""
        self.rewards.append(reward)
        self.gained += reward

    def end(self) -> None:
        """Keep the episode's best beginning, or the return of the sequence that it repeated."""
        if self.repeated is not None:
            self.repeated.returns.append(sum(self.rewards))
        elif self.rewards:
            sums = torch.tensor(self.rewards, dtype=torch.float64).cumsum(0)
            best = int(sums.argmax())
            self.solutions.append(Solution(self.actions[: best + 1], [float(sums[best])]))

    def begin(self, repeats: bool) -> None:
        """A new episode, which `repeats` the best solution or explores."""
        self.repeated = (
            max(self.solutions, key=lambda solution: solution.mean)
            if repeats and self.solutions
            else None
        )
        self.actions = []
        self.rewards = []
        self.left = False
        self.run = 0
        self.gained = 0.0
        self.held = 0

    def choose(self, running: Running, jumps: bool) -> int:
        """Return the next action; `jumps` starts a jump if none is under way."""
        if self.repeated is not None:
            played = len(self.actions)
            action = (
                self.repeated.actions[played]
                if played < len(self.repeated.actions)
                else running.still
            )
        else:
            action = self.explore(running, jumps)
        self.actions.append(action)
        self.spent += 1
        return action

    def explore(self, running: Running, jumps: bool) -> int:
        """Right for 100 steps, and where that gained nothing, left for 70."""
        if self.run == (LEFT_STEPS if self.left else RIGHT_STEPS):
            self.left = not self.left and self.gained <= 0
            self.run = 0
            self.gained = 0.0
            self.held = 0
        self.run += 1
        if self.held == 0 and jumps:
            self.held = JUMP_STEPS
        self.held, jumping = max(0, self.held - 1), self.held > 0
        if self.left:
            return running.jump_left if jumping else running.left
        return running.jump_right if jumping else running.right


class JERK:
    """Plays games in which one runs to the right, without looking.

    Args:
        distribution: its attribute `running` says which actions run and jump.
        budget: how long it plays; it repeats the more, the more of it is spent.
        exploit: probability, at the start, that an episode repeats the best sequence.

    Raises:
        ValueError: a game without such actions, or a probability that is none.
    """

    id = "jerk"
    label = "JERK"
    grid: ClassVar[dict[str, tuple[float, ...]]] = {}

    __repr__ = agent_repr

    def __init__(self, distribution: TaskDistribution, budget: Budget, exploit: float = 0.25):
        if not isinstance(distribution, SaysRunning) or distribution.running is None:
            raise ValueError(
                f"JERK runs and jumps; {distribution.id} doesn't say which of its actions do (its"
                " attribute `running`)."
            )
        if not 0 <= exploit <= 1:
            raise ValueError(f"exploit is a probability, not {exploit}.")
        self.made_for = MadeFor(distribution, budget, length="exactly")
        self.running = distribution.running
        self.exploit = exploit
        self.steps = max_steps(budget, distribution)

    @classmethod
    def supports(cls, distribution: TaskDistribution) -> bool:
        """Return whether this agent can play `distribution`.

        One that says which actions run and jump.
        """
        return isinstance(distribution, SaysRunning) and distribution.running is not None

    def initial_state(self, batch_size: int) -> list[Row]:
        """Nothing found yet."""
        return [Row() for _ in range(batch_size)]

    def act(self, step: Step, state: list[Row], rng: Generator) -> tuple[Tensor, list[Row]]:
        """Return an action [B] for each row by its own memory."""
        chance: list[list[float]] = torch.rand(
            len(state), 2, generator=rng, device=rng.device
        ).tolist()
        starts = step.meta_episode_start.tolist()
        ends = step.episode_start.tolist()
        rewards: list[Any] = step.prev_reward.tolist()
        actions = []
        for i, (repeat, jump) in enumerate(chance):
            if starts[i]:
                state[i] = Row()
            elif state[i].actions:
                state[i].note(rewards[i])
            if ends[i]:
                state[i].end()
                state[i].begin(repeat < self.exploit + state[i].spent / self.steps)
            actions.append(state[i].choose(self.running, jump < JUMP))
        return torch.tensor(actions, device=step.prev_reward.device), state
