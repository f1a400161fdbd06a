"""Many MuJoCo models stepped side by side by MuJoCo's own threaded `rollout`, one thread pool for
all calls.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch

from metarl.tasks.mujoco.models import import_mujoco

__all__ = ["Moved", "Simulator"]


class Moved(NamedTuple):
    """What a step of B models led to."""

    state: (
        np.ndarray
    )  # [B, nq + nv] positions and velocities; where not sound, those before the step
    sound: np.ndarray  # [B] bool: false where MuJoCo's integration broke down
    # [B, 2] x and y that MuJoCo last computed for body 1, in m; None unless contacts were asked for
    torso: np.ndarray | None
    contact: (
        np.ndarray | None
    )  # [B] sum of squared external forces on all bodies, each clipped to [-1, 1] N (or N m)


class Simulator:
    """Steps rows of models of one robot; what a row does depends on its own model, state and
    control alone.

    Each step starts from the positions and velocities without the solver's last solution (a cold
    start), so that a row's state is nothing but these; the solver's answers then differ from those
    of a warm start by about 1e-13. As many threads work as PyTorch may use
    (`torch.set_num_threads`); results don't depend on it.

    Args:
        base: a model of the size of all models that will be stepped.
        frame_skip: MuJoCo's steps in one step.
    """

    def __init__(self, base: Any, frame_skip: int):
        self._mujoco = import_mujoco()
        self.base = base
        self.frame_skip = frame_skip
        self._threads = -1
        self._resize(torch.get_num_threads())

    def step(
        self, models: Sequence[Any], state: np.ndarray, control: np.ndarray, contacts: bool = False
    ) -> Moved:
        """Hold `control` [B, nu] for one step in `models` [B], from `state` [B, nq + nv].

        Args:
            contacts: also compute contact forces and the torso's place, which only the row's own
                data tell, so that rows are rolled out one by one in each thread.
        """
        if (threads := torch.get_num_threads()) != self._threads:
            self._resize(threads)
        rows = len(models)
        start = np.zeros((rows, 1 + state.shape[1]))  # time comes first
        start[:, 1:] = state
        controls = np.repeat(control[:, None].astype(np.float64), self.frame_skip, axis=1)
        reached = np.empty((rows, self.frame_skip, start.shape[1]))
        torso = contact = None
        if contacts:
            torso = np.zeros((rows, 2))
            contact = np.zeros(rows)
            edges = np.linspace(0, rows, len(self._data) + 1).round().astype(int)
            jobs = [
                self._executor.submit(
                    self._one_by_one,
                    worker,
                    range(edges[worker], edges[worker + 1]),
                    models,
                    start,
                    controls,
                    reached,
                )
                for worker in range(len(self._data))
            ]
            for worker, job in enumerate(jobs):
                (
                    torso[edges[worker] : edges[worker + 1]],
                    contact[edges[worker] : edges[worker + 1]],
                ) = job.result()
        else:
            self._pool.rollout(
                list(models),
                self._data,
                start,
                controls,
                nstep=self.frame_skip,
                state=reached,
                skip_checks=True,
            )
        last = reached[:, -1]
        # When the integration breaks down, MuJoCo starts time anew and the rollout stops
        due = self.frame_skip * self.base.opt.timestep
        sound = (np.abs(last[:, 0] - due) < 1e-9) & np.isfinite(last).all(1)
        reached_state = last[:, 1:] if sound.all() else np.where(sound[:, None], last[:, 1:], state)
        return Moved(reached_state, sound, torso, contact)

    def _one_by_one(
        self,
        worker: int,
        rows: range,
        models: Sequence[Any],
        start: np.ndarray,
        controls: np.ndarray,
        reached: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Roll out `rows` in this thread; returns (torso [rows, 2], contact [rows])."""
        data = self._data[worker]
        single = self._singles[worker]
        torso = np.zeros((len(rows), 2))
        contact = np.zeros(len(rows))
        for at, i in enumerate(rows):
            own = slice(i, i + 1)
            single.rollout(
                [models[i]],
                [data],
                start[own],
                controls[own],
                nstep=self.frame_skip,
                state=reached[own],
                skip_checks=True,
            )
            self._mujoco.mj_rnePostConstraint(models[i], data)
            torso[at] = data.xpos[1, :2]
            contact[at] = np.square(np.clip(data.cfrc_ext, -1.0, 1.0)).sum()
        return torso, contact

    def _resize(self, threads: int) -> None:
        """Work with `threads` threads from now on."""
        Rollout = self._mujoco.rollout.Rollout
        self._threads = threads
        self._pool = Rollout(nthread=threads if threads > 1 else 0)
        self._data = [self._mujoco.MjData(self.base) for _ in range(threads)]
        self._singles = [Rollout(nthread=0) for _ in range(threads)]
        self._executor = ThreadPoolExecutor(threads)

    def __reduce__(self) -> tuple[Any, ...]:
        return Simulator, (self.base, self.frame_skip)  # threads stay in their process
