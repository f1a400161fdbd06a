"""Learners that fail in the ways in which runs of a suite fail."""

import os
import signal
from dataclasses import dataclass

from tests.runs.tiny_learner import TinyConfig, TinyLearner


class Slow(TinyLearner):
    """Takes its time."""

    Config = TinyConfig


class Raises(TinyLearner):
    """Raises in its second iteration, until the file that its environment names is there."""

    def update(self):
        if self.iteration == 1 and not os.path.exists(os.environ.get("MENDED", "")):
            raise RuntimeError("there is a bug in me")
        return super().update()


class Dies(TinyLearner):
    """Is killed as the system does where memory runs out."""

    def update(self):
        if self.iteration == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().update()


@dataclass(frozen=True)
class GreedyConfig(TinyConfig):
    """Settings of a learner that wants memory."""

    gigabytes: int = 64


class WantsMemory(TinyLearner):
    """Asks for more memory than its limit allows."""

    Config = GreedyConfig

    def update(self):
        import resource

        import torch

        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        torch.zeros(self.config.gigabytes << 30, dtype=torch.uint8)
        return super().update()
