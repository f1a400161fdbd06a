"""Algorithms that learn while they play single episodes, and the agent that lets one learn alone in
each task.

Joint training and fine-tuning are the same algorithm on different rows (Nichol et al. 2018, arXiv
1804.03720, section 4): jointly it plays many tasks side by side, at test one row of one task, from
the weights that were trained jointly or from new ones.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

from metarl.core.agent import MadeFor, agent_repr
from metarl.core.step import Outcome, Step

__all__ = ["OnlineAgent", "FrozenAgent", "OnlineLearner", "ShapedRewards"]


class OnlineLearner(Protocol):
    """Plays B rows, a task or several, and learns from them: policy, optimiser, memory and random
    streams in one object.

    What it optimises are single episodes: a terminated one is worth nothing more, a truncated one
    what its last observation promises.

    Attributes:
        progress: share of training done, for schedules; 0 where nobody sets it.
    """

    progress: float

    def choose(self, step: Step) -> Tensor:
        """Actions [B, *act], as the environment takes them."""
        ...

    def play(self, step: Step, rng: Generator) -> Tensor:
        """Actions [B, *act] of any number of rows, as trained so far.

        Nothing is noted or learned.
        """
        ...

    def learn(self, step: Step, outcome: Outcome | None = None) -> None:
        """Note what the actions just chosen brought, and improve when it is time.

        Args:
            step: what the environment shows now. outcome: what the actions brought; None takes it
                from `step`, which holds it where no row has begun another task.
        """
        ...

    def metrics(self) -> dict[str, float]:
        """Return what was measured since the last call, such as losses.

        Nothing before the first improvement.
        """
        ...

    def weights(self) -> dict[str, Any]:
        """Return what acting needs."""
        ...

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over weights, as a start or for acting."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that learning depends on; later improvements change no tensor in it."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        ...


class ShapedRewards:
    """What B rows learn from in place of their rewards.

    With `new_progress_only`, a reward counts as far as it takes the episode's sum to a new high:
    going back costs nothing, and coming back pays nothing, as with the wrapper `AllowBacktracking`;
    but scores are of the game's own rewards all the same.

    Args:
        rows: B. scale: factor. new_progress_only: see above. device: of the rewards.
    """

    def __init__(
        self,
        rows: int,
        scale: float = 1.0,
        new_progress_only: bool = False,
        device: str | torch.device = "cpu",
    ):
        self.scale = scale
        self.new_progress_only = new_progress_only
        self.total, self.most = (
            torch.zeros(rows, dtype=torch.float64, device=device) for _ in range(2)
        )

    def begin(self, rows: Tensor) -> None:
        """Another episode begins in `rows` [B] bool."""
        self.total, self.most = self.total.masked_fill(rows, 0), self.most.masked_fill(rows, 0)

    def __call__(self, reward: Tensor) -> Tensor:
        """Shaped rewards [B] float32 of a step."""
        if self.new_progress_only:
            self.total = self.total + reward
            reward = (self.total - self.most).clamp_min(0)
            self.most = torch.maximum(self.most, self.total)
        return (reward * self.scale).to(torch.float32)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the sums of the episodes in progress."""
        return {"total": self.total.clone(), "most": self.most.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on with those."""
        self.total, self.most = (state[name].to(self.total.device) for name in ("total", "most"))


class FrozenAgent:
    """An algorithm as trained so far, which learns no more.

    Args:
        learner: what has learned. made_for: what it can play.
    """

    __repr__ = agent_repr

    def __init__(self, learner: OnlineLearner, made_for: MadeFor):
        self.learner = learner
        self.made_for = made_for

    def initial_state(self, batch_size: int) -> tuple[()]:
        """Nothing is remembered."""
        return ()

    def act(self, step: Step, state: tuple[()], rng: Generator) -> tuple[Tensor, tuple[()]]:
        """Return each row's action depends on its current observation alone."""
        return self.learner.play(step, rng), state


class OnlineAgent:
    """An algorithm that learns in each task by itself, from the same weights; its state is one
    learner a row.

    Args:
        make: a learner of one row, by seed.
        made_for: what it can play.
    """

    __repr__ = agent_repr

    def __init__(self, make: Callable[[int], OnlineLearner], made_for: MadeFor):
        self.make = make
        self.made_for = made_for

    def initial_state(self, batch_size: int) -> list[OnlineLearner | None]:
        """No learner yet: a row's begins with its task."""
        return [None] * batch_size

    def act(
        self, step: Step, state: list[OnlineLearner | None], rng: Generator
    ) -> tuple[Tensor, list[OnlineLearner | None]]:
        """Return every row learns from what its last action brought, and acts."""
        # For all rows, so that none depends on another
        seeds = torch.randint(2**31 - 1, (len(state),), generator=rng, device=rng.device)
        fresh = step.meta_episode_start.tolist()
        actions = []
        for row, begins in enumerate(fresh):
            own = Step(*(part[row : row + 1] for part in step))
            learner = state[row]
            if begins or learner is None:
                learner = state[row] = self.make(int(seeds[row]))
            else:
                with torch.enable_grad():
                    learner.learn(own)
            actions.append(learner.choose(own))
        return torch.cat(actions), state
