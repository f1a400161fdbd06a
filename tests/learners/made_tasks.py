"""Small distributions for tests of rollouts and learners."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import TaskDistribution, Tasks, Transition

__all__ = ["HiddenRule", "Matching", "Ragged"]


@dataclass(frozen=True, eq=False)
class RaggedTasks(Tasks):
    chance: Tensor  # [n] that a step terminates its episode
    pay: Tensor  # [n] for action 1


class Ragged(TaskDistribution):
    """Episodes of unequal lengths.

    Each step terminates with the task's own chance, or is truncated at the horizon. Action 1 pays.
    """

    id = "Ragged"
    observation_space = gym.spaces.Discrete(6)  # the step within the episode
    action_space = gym.spaces.Discrete(2)

    def __init__(self, horizon: int = 5, chance: float | None = None):
        self.horizon = horizon
        self.chance = chance

    def sample(self, n: int, split: str, seed: int) -> RaggedTasks:
        rng = numpy_generator(seed, self.id, split)
        chance = torch.from_numpy(rng.uniform(0, 0.6, n))
        chance = chance if self.chance is None else torch.full_like(chance, self.chance)
        return RaggedTasks(chance, torch.from_numpy(rng.uniform(0.5, 1.5, n)))

    def reset(self, tasks: Any, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        start = torch.zeros(len(tasks), dtype=torch.int64, device=rng.device)
        return start, start

    def step(self, tasks: Any, state: Tensor, action: Tensor, rng: torch.Generator) -> Transition:
        ended = torch.rand(len(tasks), generator=rng, device=rng.device) < tasks.chance
        state = (state + 1).clamp_max(5)
        return Transition(state, state, tasks.pay * action, ended, torch.zeros_like(ended))


@dataclass(frozen=True, eq=False)
class MatchingTasks(Tasks):
    targets: Tensor  # [n, horizon, *target]


class Matching(TaskDistribution):
    """Each step shows a target in the observation; the reward tells how well the action matches it.
    At most 1 a step.

    Discrete kinds: the share of parts that are right. Boxes: 1 less the mean squared distance in
    units of half the box, after clipping, which is the environment's business: an action outside
    the box is an error.
    """

    id = "Matching"
    reveals = True
    horizon = 3

    def __init__(self, action_space: gym.Space):
        self.action_space = action_space
        self.box = isinstance(action_space, gym.spaces.Box)
        shape = tuple(action_space.shape or ())
        self.observation_space = gym.spaces.Box(-1, 1, shape) if self.box else action_space

    def sample(self, n: int, split: str, seed: int) -> MatchingTasks:
        rng = numpy_generator(seed, self.id, split)
        shape = (n, self.horizon, *(self.action_space.shape or ()))
        if self.box:
            return MatchingTasks(torch.from_numpy(rng.uniform(-1, 1, shape)))
        most = (
            self.action_space.nvec if isinstance(self.action_space, gym.spaces.MultiDiscrete) else 2
        )
        return MatchingTasks(torch.from_numpy(rng.integers(np.broadcast_to(most, shape))))

    def reset(self, tasks: Any, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(tasks), dtype=torch.int64, device=rng.device), self._shown(tasks, 0)

    def step(self, tasks: Any, state: Tensor, action: Tensor, rng: torch.Generator) -> Transition:
        target = tasks.targets[torch.arange(len(tasks), device=rng.device), state]
        if self.box:
            low, high = (
                torch.as_tensor(bound, device=rng.device)
                for bound in (self.action_space.low, self.action_space.high)
            )
            assert bool(((action >= low) & (action <= high)).all()), (
                "an action outside its box reached the environment"
            )
            each = 1 - ((action - (low + high) / 2) / ((high - low) / 2) - target).square()
        else:
            each = (action == target).to(torch.float32)
        reward = each.reshape(len(tasks), -1).mean(1).to(torch.float32)
        state = (state + 1).clamp_max(self.horizon - 1)
        never = torch.zeros_like(reward, dtype=torch.bool)
        return Transition(state, self._shown(tasks, state), reward, never, never)

    def _shown(self, tasks: Any, state: Tensor | int) -> Tensor:
        shown = tasks.targets[torch.arange(len(tasks), device=tasks.targets.device), state]
        return shown.to(torch.float32) if self.box else shown


@dataclass(frozen=True, eq=False)
class HiddenRuleTasks(Tasks):
    pays: Tensor  # [n] 1 where naming the bit that is shown pays, 0 where naming the other does


class HiddenRule(TaskDistribution):
    """Each step shows a bit; naming it pays 1 in half of the tasks, naming the other one in the
    rest, and nothing shows which.

    Whoever can't tell the tasks apart gets half of the horizon on average, whatever it does.
    """

    id = "HiddenRule"
    finite = True
    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(2)
    horizon = 10

    def sample(self, n: int, split: str, seed: int) -> HiddenRuleTasks:
        return HiddenRuleTasks(
            torch.from_numpy(numpy_generator(seed, self.id, split).integers(2, size=n))
        )

    def reset(self, tasks: Any, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        bit = torch.randint(2, (len(tasks),), generator=rng, device=rng.device)
        return bit, bit

    def step(self, tasks: Any, state: Tensor, action: Tensor, rng: torch.Generator) -> Transition:
        reward = ((action == state) == (tasks.pays == 1)).to(torch.float32)
        bit = torch.randint(2, (len(tasks),), generator=rng, device=rng.device)
        never = torch.zeros_like(reward, dtype=torch.bool)
        return Transition(bit, bit, reward, never, never)
