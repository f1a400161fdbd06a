"""Joint training of one policy on all training tasks, to be fine-tuned on a test task by the same
algorithm.

The transfer experiments of Nichol et al. 2018 (arXiv 1804.03720, section 4): training tasks are
played side by side, each row an episode at a time, and the algorithm learns from all of them at
once. At test its agent begins with these weights in every task and learns alone.
"""

import copy
from abc import ABC, abstractmethod
from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from metarl.core.agent import MadeFor
from metarl.core.arguments import check_device
from metarl.core.budget import Budget, Episodes, Steps, as_budget
from metarl.core.learner import Metrics
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.step import Outcome, Step
from metarl.core.task_distribution import TaskDistribution, TaskSource, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.data_parallel import Ranks, all_gather, own_seed
from metarl.learners.settings import check_counts, described, only_seed, settled
from metarl.learners.transfer.online import FrozenAgent, OnlineAgent, OnlineLearner
from metarl.networks.finite import check_update, check_weights

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["ASSIGNMENTS", "JointTraining", "Scores", "check_joint_settings"]

ASSIGNMENTS = ("draw", "fixed")
RECENT = 100  # episodes whose mean return is shown while training


def check_joint_settings(config: Any) -> None:
    """Raise ValueError unless num_envs, steps and iterations are whole numbers from 1 on, and the
    assignment one there is.
    """
    check_counts(num_envs=config.num_envs, steps=config.steps, iterations=config.iterations)
    if config.assignment not in ASSIGNMENTS:
        raise ValueError(
            f"There is no assignment {config.assignment!r}; choose one of {', '.join(ASSIGNMENTS)}."
        )


class Scores:
    """Returns and successes of the latest episodes of B rows."""

    def __init__(self, rows: int):
        self.running = torch.zeros(rows, dtype=torch.float64)
        self.won = torch.zeros(rows, dtype=torch.bool)
        self.returns: deque[float] = deque(maxlen=RECENT)
        self.successes: deque[float] = deque(maxlen=RECENT)
        self.episodes = 0

    def begin(self) -> None:
        """All rows begin other episodes, whatever they were at."""
        self.running, self.won = torch.zeros_like(self.running), torch.zeros_like(self.won)

    def note(self, outcome: Outcome) -> None:
        """Take in a step of all rows."""
        self.running += outcome.exact_reward.cpu()
        self.won |= outcome.success.cpu()
        ended = (outcome.terminated | outcome.truncated).cpu()
        if bool(ended.any()):
            self.returns.extend(self.running[ended].tolist())
            self.successes.extend(self.won[ended].double().tolist())
            self.episodes += int(ended.sum())
            self.running[ended] = 0
            self.won[ended] = False

    def metrics(self, group: "ProcessGroup | None" = None) -> dict[str, float]:
        """Return means over the latest episodes of all ranks.

        Over those in progress while none has ended.
        """
        running = torch.stack([self.running, self.won.double()], 1)
        recent = torch.tensor(
            list(zip(self.returns, self.successes, strict=True)), dtype=torch.float64
        ).view(-1, 2)
        running, recent, episodes = all_gather(
            group, [running, recent, torch.tensor([self.episodes])]
        )
        shown = recent if len(recent) else running
        return_, success = (sum(column) / len(column) for column in shown.t().tolist())
        return {"return": return_, "success": success, "episodes": float(episodes.sum())}

    def state_dict(self) -> dict[str, Any]:
        """Return all of it."""
        recent = {"returns": list(self.returns), "successes": list(self.successes)}
        return {
            "running": self.running.clone(),
            "won": self.won.clone(),
            **recent,
            "episodes": self.episodes,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.running = state["running"].clone()
        self.won = state["won"].clone()
        self.returns = deque(state["returns"], RECENT)
        self.successes = deque(state["successes"], RECENT)
        self.episodes = int(state["episodes"])


class JointTraining(ABC):
    """Lets one algorithm play training tasks in many rows; subclasses name the algorithm.

    Resumed, tensor families go on where they stood; environments, which can't be stored, begin new
    episodes.

    Args:
        config: settings. distribution: where tasks come from. seed: names every random stream.
            device: where it learns.
        ranks: the processes that train together, each of which plays as many of the rows; this one
            alone if left out.

    Raises:
        ValueError: several seeds, which don't share a batch here, or a device that isn't here.
    """

    Config: ClassVar[Any]
    label: ClassVar[str]

    def __init__(
        self,
        config: Any,
        distribution: TaskDistribution | str,
        seed: int | tuple[int, ...] = 0,
        device: str = "cpu",
        ranks: Ranks | None = None,
    ):
        check_device(device)
        self.config, self.distribution, self.device = (
            config,
            settled(type(self), config, distribution),
            device,
        )
        self.seed = only_seed(type(self).__name__, seed)
        self.seeds = (self.seed,)
        self.ranks = Ranks(1, device, type(self)) if ranks is None else ranks
        # played in this rank
        self.rows = config.num_envs // self.ranks.size
        # algorithms that run in several ranks can do more than `OnlineLearner` says
        self.online: Any = self.new_online(
            self.rows, derive_seed(self.seed, "joint training"), alone=False
        )
        self.env_rng = torch_generator(
            own_seed(self.seed, self.ranks.rank), "joint training", "environment", device=device
        )
        self.scores = Scores(self.rows)
        self.iteration = self.steps = self.first_task = 0
        self._shown: Step | None = None  # by the rows; None while they aren't open
        self._stood: dict[str, Any] | None = None  # where they are to go on once they are

    @staticmethod
    def usual_budget(config: Any, distribution: TaskDistribution) -> Budget:
        """Return an episode, played as trained.

        Given steps instead, or where the settings say so, the agent learns while it plays.
        """
        return Episodes(1)

    @abstractmethod
    def new_online(self, rows: int, seed: int, alone: bool) -> OnlineLearner:
        """Return the algorithm, untrained: on all tasks, or `alone` in one."""

    @cached_property
    def env(self) -> MetaEpisodeEnv:
        """The training rows, opened by the first update.

        An episode is a meta-episode of its own.
        """
        return MetaEpisodeEnv(self.distribution, Episodes(1), self.rows, self.env_rng)

    def _open(self) -> Step:
        """Start the rows, or let them stand where they stood; returns what they show."""
        step = self.env.reset(self._tasks())
        stands = self._stood
        self._stood = None
        if stands is None:
            self.scores.begin()
            return step
        self.env.load_state_dict(stands["env"])
        self.env_rng.set_state(stands["stream"].cpu())
        return Step(*(part.to(self.device) for part in stands["step"]))

    def _tasks(self) -> TaskSource:
        """Return a task for each row's next episode, or the same for all of its episodes."""
        rows, seed = self.config.num_envs, derive_seed(self.seed, "joint training", "tasks")
        first = self.ranks.rank * self.rows
        if self.config.assignment == "draw":
            source = fresh_tasks(self.distribution, "train", rows, seed, first=self.first_task)
            return lambda wanted, counts: source(first + wanted, counts)
        # As many rows for each, as far as they go round
        tasks = self.distribution.sample(rows, "train", seed)
        return lambda wanted, counts: tasks[first + wanted]

    def update(self) -> Metrics:
        """Play `steps` steps in every row; the algorithm learns when it is time. Several ranks do
        so at once.

        Raises:
            ValueError: training diverged. PlugInError: a rank failed, or an update before broke
                off.
        """
        with self.ranks.together(self):
            metrics = self.play_and_improve()
        check_update(self.iteration, metrics, tree_leaves(self.weights()))
        return metrics

    def play_and_improve(self) -> Metrics:
        """Do this rank's part of an update."""
        self.online.progress = self.iteration / self.config.iterations
        step = self._open() if self._shown is None else self._shown
        for _ in range(self.config.steps):
            step, outcome = self.env.step(self.online.choose(step))
            self.online.learn(step, outcome)
            self.scores.note(outcome)
        self._shown = step
        self.env.check()
        self.iteration += 1
        self.steps += self.config.steps * self.config.num_envs
        counters = {"iteration": float(self.iteration), "steps": float(self.steps)}
        return {**counters, **self.scores.metrics(self.ranks.group), **self.online.metrics()}

    def __repr__(self) -> str:
        return described(self)

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""
        return bool(self.iteration >= self.config.iterations)

    def close(self) -> None:
        """End the other ranks, release environments and workers.

        A further update opens them again, with new episodes.
        """
        self.ranks.close(self)
        self._close_rows()

    def _close_rows(self) -> None:
        if "env" in self.__dict__:
            self._take_note(self._stands())
            self.__dict__.pop("env").close()
            self._shown = None

    def agent(self, budget: Budget, seed_index: int = 0) -> OnlineAgent | FrozenAgent:
        """Given steps, it learns on in each task by itself.

        Given episodes, it plays as it was trained, unless the settings have it learn always.
        """
        if seed_index:
            raise ValueError(f"There is no seed number {seed_index}; this learner trains one seed.")
        weights = copy.deepcopy(self.weights())
        check_weights(weights)

        def alone(seed: int) -> OnlineLearner:
            learner = self.new_online(1, seed, alone=True)
            learner.load_weights(weights)
            return learner

        budget = as_budget(budget)
        made_for = MadeFor(self.distribution, budget, tasks="spaces", length="kind")
        learns = isinstance(budget, Steps) or self.config.learn_at_test == "always"
        return OnlineAgent(alone, made_for) if learns else FrozenAgent(alone(0), made_for)

    def weights(self, seed_index: int = 0) -> dict[str, Any]:
        """Return what acting needs."""
        return self.online.weights()

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over what another has trained."""
        self.ranks.renew(self)
        self.online.load_weights(weights)

    def start_from(self, weights: dict[str, Any]) -> None:
        """Begin with the weights of another run."""
        self.load_weights(weights)

    def state_dict(self) -> dict[str, Any]:
        """Everything that `update` depends on, but the episodes of environments that can't be
        stored.
        """
        counters = {"iteration": self.iteration, "steps": self.steps}
        own = {"scores": self.scores.state_dict(), "stands": self._stands()}
        others = {"ranks": self.ranks.states_of_others(self)} if self.ranks.size > 1 else {}
        return {"online": self.online.state_dict(), **own, **counters, **others}

    def own_state(self) -> dict[str, Any]:
        """Return how this rank's rows stand, and the states of its streams."""
        return {
            "online": self.online.own_state(),
            "scores": self.scores.state_dict(),
            "stands": self._stands(),
        }

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Have this rank's rows go on from there."""
        self.online.load_own_state(state["online"])
        self.scores.load_state_dict(state["scores"])
        self._take_note(state["stands"])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self._close_rows()
        own = self.own_state() if self.ranks.rank > 0 else {}
        self.online.load_state_dict(state["online"])
        self.scores.load_state_dict(state["scores"])
        self.iteration = int(state["iteration"])
        self.steps = int(state["steps"])
        self._take_note(state["stands"])
        self.ranks.take_over(self, state, own)

    def _stands(self) -> dict[str, Any]:
        """Return where the rows stand, as far as it can be told."""
        if self._shown is None:
            return self._stood or {
                "env": None,
                "stream": self.env_rng.get_state(),
                "first_task": self.first_task,
            }
        env, most = self.env.state_dict(), int(self.env.task.max()) + 1
        step: list[Tensor] = [] if env is None else [part.clone() for part in self._shown]
        return {
            "env": env,
            "step": step,
            "stream": self.env_rng.get_state(),
            "first_task": self.first_task,
            "most": most,
        }

    def _take_note(self, stands: dict[str, Any]) -> None:
        """Let the rows stand there when they are opened next."""
        self.env_rng.set_state(stands["stream"].cpu())
        stored = stands["env"] is not None
        self._stood = stands if stored else None
        # Tasks once begun aren't begun again
        self.first_task = int(stands["first_task"]) + (0 if stored else int(stands.get("most", 0)))
