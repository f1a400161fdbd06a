"""Rewards that let a player go back without a loss (Nichol et al. 2018, section 5.2)."""

from typing import Any

import gymnasium as gym

__all__ = ["AllowBacktracking"]


class AllowBacktracking(gym.Wrapper):
    """Pays only what takes an episode's return above the highest that it has reached; what takes it
    down costs nothing.

    So a level is worth no more for walking back and forth, and a player that must go back isn't
    punished. An episode's rewards then add up to the highest return that it reached, which is no
    less than its return: scores measured with this aren't the game's own.

    Args:
        env: pays for progress, negatively for going back.
    """

    def __init__(self, env: gym.Env):
        super().__init__(env)
        self._return = self._highest = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode, with nothing reached."""
        self._return = self._highest = 0.0
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step, and pay what is new."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._return += float(reward)
        new = max(0.0, self._return - self._highest)
        self._highest = max(self._highest, self._return)
        return observation, new, terminated, truncated, info
