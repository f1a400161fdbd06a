"""A small Gymnasium environment for tests, in a module without PyTorch so that worker processes
start fast.
"""

import os
import signal
import sys
import time

import gymnasium as gym
import numpy as np


class NoisyWalk(gym.Env):
    """A walk with noise in observations, rewards and ends.

    The task is its drift, or the name of a fault.
    """

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, task):
        self.task = task
        self.drift = float(task) if isinstance(task, int | float) else 0.0
        self.position = 0.0
        self.t = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.position = self.np_random.normal()
        self.t = 0
        return self.observation(), {}

    def step(self, action):
        self.t += 1
        self.position += self.drift + (1 if action else -1) + self.np_random.normal()
        if self.t == 2 and isinstance(self.task, str):
            return self.fault()
        return (
            self.observation(),
            self.position,
            bool(self.np_random.random() < 0.2),
            False,
            {"success": self.position > 0},
        )

    def observation(self):
        return np.array([self.position, self.drift])

    def fault(self):
        if self.task == "raise":
            raise RuntimeError("the walk is blocked")
        if self.task == "segfault":
            import ctypes

            ctypes.string_at(0)
        if self.task == "exit":
            os._exit(7)
        if self.task == "hang":
            time.sleep(60)
        if self.task == "nan reward":
            return self.observation(), float("nan"), False, False, {}
        if self.task == "nan observation":
            return self.observation() * np.nan, 0.0, False, False, {}
        if self.task == "shape":
            return np.zeros(3), 0.0, False, False, {}
        if self.task == "four":
            return self.observation(), 0.0, False, {}
        raise AssertionError(self.task)


class Report(gym.Env):
    """Tells what the process that runs it is like."""

    observation_space = gym.spaces.Box(0, np.inf, (4,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, task):
        self.task = task

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        threads = 0
        if self.task == "torch":
            import torch

            threads = torch.get_num_threads()
        pid = os.getpid() % 2**20  # float32 holds it exactly
        return (
            np.array(
                [pid, threads, "torch" in sys.modules, os.environ.get("GOMP_SPINCOUNT") == "1000"],
                np.float32,
            ),
            {},
        )

    def step(self, action):
        return self.reset()[0], 0.0, False, False, {}


class Dies(NoisyWalk):
    """Dies as the task says: while it is "made", or "reset"."""

    def __init__(self, task):
        super().__init__(0.0)
        self.when = task
        self.die("made")

    def reset(self, *, seed=None, options=None):
        self.die("reset")
        return super().reset(seed=seed, options=options)

    def die(self, now):
        if self.when == now:
            os.kill(os.getpid(), signal.SIGKILL)


class Heavy(NoisyWalk):
    """Holds 64 MiB."""

    def __init__(self, task):
        super().__init__(task)
        self.ballast = np.ones(2**26, np.uint8)


class Alone(NoisyWalk):
    """Can't be made while another is open in the process, as with stable-retro."""

    held = False

    def __init__(self, task):
        if Alone.held:
            raise RuntimeError("another one is open")
        super().__init__(task)
        Alone.held = True

    def close(self):
        Alone.held = False
