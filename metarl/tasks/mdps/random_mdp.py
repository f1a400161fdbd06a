"""Random tabular MDPs, as in Duan et al. 2016, section 3.2."""

import math
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch
from torch import Generator, Tensor

from metarl.core.seeding import numpy_generator
from metarl.core.task_distribution import STREAMS, TaskDistribution, Tasks, Transition, check_draw

__all__ = ["RandomMDP", "RandomMDPTasks", "optimal_values"]


@dataclass(frozen=True, eq=False)
class RandomMDPTasks(Tasks):
    """n tabular MDPs."""

    reward_means: Tensor  # [n, S, A]
    transitions: Tensor  # [n, S, A, S] probabilities of the next state


class RandomMDP(TaskDistribution):
    """Tabular MDPs with Dirichlet transitions and Gaussian rewards, a fixed horizon, and a fixed
    start state 0.

    | part | value |
    |---|---|
    | observation | Discrete(states), the current state |
    | action | Discrete(actions) |
    | reward | N(m, reward_noise²), m ~ N(reward_prior_mean, reward_prior_std²) for each state and action |
    | transition | each row ~ Dirichlet(transition_concentration, ...) |
    | start | state 0 |
    | end | truncated at the horizon |
    | splits | train, test, validation: independent streams |
    | optimum | not computable |
    | upper bound | known model, by backward induction |
    | versions | v0 |

    Args:
        states: S. actions: A. horizon: steps an episode.
        reward_prior_mean, reward_prior_std: of the reward means (units of reward).
        reward_noise: standard deviation of one reward.
        transition_concentration: of the Dirichlet prior; 1 is flat.

    Source: Duan et al. 2016, section 3.2 (arXiv 1611.02779), defaults as there.
    """

    id = "RandomMDP-v0"
    has_success = False
    splits = STREAMS

    def __init__(
        self,
        states: int = 10,
        actions: int = 5,
        horizon: int = 10,
        reward_prior_mean: float = 1.0,
        reward_prior_std: float = 1.0,
        reward_noise: float = 1.0,
        transition_concentration: float = 1.0,
    ):
        if min(states, actions, horizon) < 1:
            raise ValueError(
                f"states, actions and horizon must be at least 1, not {states}, {actions} and"
                f" {horizon}."
            )
        if not all(
            math.isfinite(value)
            for value in (
                reward_prior_mean,
                reward_prior_std,
                reward_noise,
                transition_concentration,
            )
        ):
            raise ValueError(
                "reward_prior_mean, reward_prior_std, reward_noise and transition_concentration"
                " must be finite numbers."
            )
        if reward_prior_std < 0 or reward_noise < 0 or transition_concentration <= 0:
            raise ValueError(
                "reward_prior_std and reward_noise can't be negative, transition_concentration must"
                " be positive."
            )
        self.states = states
        self.actions = actions
        self.horizon = horizon
        self.reward_prior_mean = reward_prior_mean
        self.reward_prior_std = reward_prior_std
        self.reward_noise = reward_noise
        self.transition_concentration = transition_concentration
        self.observation_space = gym.spaces.Discrete(states)
        self.action_space = gym.spaces.Discrete(actions)

    def config(self) -> dict[str, Any]:
        names = (
            "states",
            "actions",
            "horizon",
            "reward_prior_mean",
            "reward_prior_std",
            "reward_noise",
            "transition_concentration",
        )
        return {name: getattr(self, name) for name in names}

    def sample(self, n: int, split: str, seed: int) -> RandomMDPTasks:
        check_draw(self, n, split, seed)
        rng = numpy_generator(seed, self.id, split)
        shape = (n, self.states, self.actions)
        reward_means = self.reward_prior_mean + self.reward_prior_std * rng.standard_normal(shape)
        weights = rng.standard_gamma(self.transition_concentration, (*shape, self.states))
        return RandomMDPTasks(
            torch.from_numpy(reward_means),
            torch.from_numpy(weights / weights.sum(-1, keepdims=True)),
        )

    def reset(self, tasks: Tasks, rng: Generator) -> tuple[Tensor, Tensor]:
        start = torch.zeros(len(tasks), dtype=torch.int64, device=rng.device)
        return start, start

    def step(
        self, tasks: RandomMDPTasks, state: Tensor, action: Tensor, rng: Generator
    ) -> Transition:
        n = len(tasks)
        dtype = tasks.reward_means.dtype
        rows = torch.arange(n, device=rng.device)
        noise = torch.randn(n, generator=rng, device=rng.device, dtype=dtype)
        uniform = torch.rand(n, generator=rng, device=rng.device, dtype=dtype)
        reward = tasks.reward_means[rows, state, action] + self.reward_noise * noise
        cumulative = tasks.transitions[rows, state, action].cumsum(-1)  # [n, S]
        # Inverse of the distribution function
        following = (uniform[:, None] > cumulative).sum(1).clamp_max(self.states - 1)
        never = torch.zeros(n, dtype=torch.bool, device=rng.device)
        return Transition(following, following, reward, never, never)

    def upper_bound(self, tasks: RandomMDPTasks, episodes: int) -> Tensor:
        return (
            episodes
            * optimal_values(tasks.reward_means, tasks.transitions, self.horizon)[0][:, 0, 0]
        )


def optimal_values(
    reward_means: Tensor, transitions: Tensor, horizon: int
) -> tuple[Tensor, Tensor]:
    """Finite-horizon backward induction, batched.

    Args:
        reward_means: [n, S, A]. transitions: [n, S, A, S]. horizon: H, steps.

    Returns:
        (values [n, H + 1, S], action values [n, H, S, A]) with t steps gone at index t.
    """
    n, states, _ = reward_means.shape
    values = reward_means.new_zeros(n, horizon + 1, states)
    action_values = reward_means.new_zeros(n, horizon, *reward_means.shape[1:])
    for t in reversed(range(horizon)):
        action_values[:, t] = reward_means + (transitions @ values[:, t + 1, None, :, None])[..., 0]
        values[:, t] = action_values[:, t].amax(-1)
    return values, action_values
