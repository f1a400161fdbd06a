"""A learner that costs nothing.

It nudges arm preferences by noise, so that every iteration depends on all of its state.
"""

import time
from dataclasses import dataclass, field

import torch

from metarl.core.seeding import torch_generator


@dataclass(frozen=True)
class Part:
    lr: float = 0.5
    shape: tuple[int, ...] = (2, 3)


@dataclass(frozen=True)
class TinyConfig:
    """Settings of the tiny learner."""

    episodes: int = 10
    iterations: int = 5
    hidden_size: int = 4
    pause: float = 0.0
    part: Part = field(default_factory=Part)

    def __post_init__(self):
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, not {self.iterations}.")


class TinyAgent:
    def __init__(self, preferences):
        self.preferences = preferences

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        return self.preferences.argmax().expand(len(step.prev_reward)), state


class TinyLearner:
    Config = TinyConfig

    def __init__(self, config, distribution, seed, device="cpu"):
        self.config = config
        self.seeds = seed if isinstance(seed, tuple) else (seed,)
        self.preferences = torch.zeros(len(self.seeds), distribution.action_space.n)
        self.rng = torch_generator(self.seeds[0], "tiny")
        self.moments = {0: {"average": torch.zeros(()), "betas": (0.9, 0.5)}}
        self.iteration = 0

    def update(self):
        time.sleep(self.config.pause)
        noise = torch.randn(self.preferences.shape, generator=self.rng)
        moment = self.moments[0]
        moment["average"] = moment["betas"][0] * moment["average"] + noise.mean()
        self.preferences += self.config.part.lr * noise + moment["average"]
        self.iteration += 1
        # A figure that the first iterations don't have
        late = {"late": 1.5} if self.iteration > 2 else {}
        return {"steps": 10.0 * self.iteration, "return": float(self.preferences.sum()), **late}

    @property
    def finished(self):
        return self.iteration >= self.config.iterations

    def agent(self, budget, seed_index=0):
        return TinyAgent(self.preferences[seed_index].clone())

    def weights(self, seed_index=0):
        return {"preferences": self.preferences[seed_index]}

    def load_weights(self, weights):
        self.preferences.copy_(weights["preferences"].expand_as(self.preferences))

    def state_dict(self):
        return {
            "preferences": self.preferences,
            "rng": self.rng.get_state(),
            "moments": self.moments,
            "iteration": self.iteration,
        }

    def load_state_dict(self, state):
        self.preferences.copy_(state["preferences"])
        self.rng.set_state(state["rng"])
        self.moments = state["moments"]
        self.iteration = state["iteration"]
