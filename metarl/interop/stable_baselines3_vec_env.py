"""Our vector environment as a VecEnv of Stable-Baselines3.

The only module that needs that library to be imported.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from metarl.interop.gymnasium_env import MetaEpisodeVector

__all__ = ["MetaEpisodeVecEnv"]

Indices = None | int | Iterable[int]


class MetaEpisodeVecEnv(VecEnv):
    """Passes on what a vector of meta-episodes gives, in the words of Stable-Baselines3.

    | part | value |
    |---|---|
    | reset | every row's next meta-episode; after `seed(s)` the first one of stream s |
    | done | a meta-episode is over; the observation is already the next one's first |
    | infos | of a row that is done: terminal_observation, TimeLimit.truncated; of every row: task and what the inner step brought |

    Args:
        rows: the vector environment.
    """

    def __init__(self, rows: MetaEpisodeVector):
        self.rows = rows
        self.metadata = rows.metadata
        self.render_mode = rows.render_mode
        super().__init__(rows.num_envs, rows.single_observation_space, rows.single_action_space)

    def reset(self) -> np.ndarray:
        """Start a meta-episode in every row; returns observations [B, F]."""
        seed = self._seeds[0]
        observation, info = self.rows.reset(seed=None if seed is None else int(seed))
        self._reset_seeds()
        self._reset_options()
        self.reset_infos = [{"task": number} for number in info["task"].tolist()]
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Note the actions [B, *act]."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Take them: (observations [B, F], rewards [B], dones [B], infos)."""
        observation, reward, terminated, truncated, info = self.rows.step(self._actions)
        done = terminated | truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(done):
            final = {
                name: values[row].item()
                for name, values in info["final_info"].items()
                if not name.startswith("_")
            }
            ended = {
                "terminal_observation": info["final_obs"][row],
                "TimeLimit.truncated": bool(truncated[row]),
            }
            infos[row] = {**final, **ended}
        return observation, reward.astype(np.float32), done, infos

    def get_images(self) -> Sequence[np.ndarray | None]:
        """Return a picture of each row; none where the family draws nothing."""
        return self.rows.render() if self.render_mode else [None] * self.num_envs

    def close(self) -> None:
        """Release worker processes and emulators."""
        self.rows.close()

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Return an attribute, which all rows share, once a row."""
        source = self if attr_name in ("render_mode", "metadata") else self.rows
        return [getattr(source, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set an attribute of all rows."""
        setattr(self.rows, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Refuse: rows are played in one batch, so that no row has methods of its own."""
        raise ValueError(
            f"Rows of this environment are played in one batch; no row has a method {method_name}"
            " of its own."
        )

    def env_is_wrapped(self, wrapper_class: Any, indices: Indices = None) -> list[bool]:
        """Return that no row is wrapped."""
        return [False] * len(list(self._get_indices(indices)))
