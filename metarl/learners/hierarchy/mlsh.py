"""Meta-learning shared hierarchies (Frans, Ho, Chen, Abbeel and Schulman 2017, arXiv 1710.09767).

K sub-policies are shared by all tasks. In each task a master, begun anew, chooses every N steps
which of them acts; it is paid the sum of the rewards until its next choice. The paper's algorithm
1, here for n tasks side by side:

    begin with sub-policies
    repeat
        begin a master anew, draw a task
        W times (warm-up): play D steps; improve the master, which takes N steps for one
        U times (joint):   play D steps; improve the master; improve the sub-policies, which take
                           its choices for a part of the task

Tasks are staggered, so that at any moment some are in the joint phase while others warm up. Masters
and sub-policies learn by PPO.

What is ours:

- The baseline of the advantages is fitted to each task's own episodes in closed form, rather than a
  critic: masters have W updates of a few hundred choices each, too few for a critic of their own.
  Masters' baselines read nothing but the time.
- A step of a sub-policy is as long as the share of the steps that were its own. Adam takes steps of
  the same length however small a gradient is; so without this a sub-policy that acts one time in
  ten, by mistake, is pulled as far towards the wrong task as the right one is towards its own, and
  on moving bandits sub-policies may become alike (results/mlsh/NOTES.md).
- Sub-policies have an entropy bonus: two that are sure of the same wrong way would never find
  another.
- All masters begin with the same weights.
- Observations are normalised by their running moments.
"""

import copy
import warnings
from dataclasses import dataclass, field
from functools import cached_property, partial
from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from metarl.core.arguments import check_device, check_fields
from metarl.core.budget import Budget, Episodes, as_budget
from metarl.core.learner import Metrics
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.supervised import Examples
from metarl.core.task_distribution import TaskDistribution, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.data_parallel import Ranks, all_gather, own_seed
from metarl.learners.hierarchy.mlsh_agent import FineTuning, MLSHAgent, episodes_between
from metarl.learners.hierarchy.options import Hierarchy, HierarchyPlayer, as_choices, by_sub_policy
from metarl.learners.policy_gradient.advantages import PolicyGradientBatch, estimate_advantages
from metarl.learners.policy_gradient.stacked_ppo import (
    Stack,
    StackedPPO,
    all_gather_stack,
    improved,
)
from metarl.learners.policy_gradient.trajectory import (
    Trajectory,
    all_gather_trajectory,
    as_long_everywhere,
    by_task,
    collect,
)
from metarl.learners.settings import check_counts, described, only_seed, settled
from metarl.networks.actions import Gaussian
from metarl.networks.encoders import check_vectors
from metarl.networks.finite import check_update, check_weights
from metarl.networks.inputs import StepInputs
from metarl.networks.perceptron import PerceptronConfig

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

__all__ = ["MLSH", "PAPER", "RELEASED", "MLSHConfig"]


@dataclass(frozen=True)
class MLSHConfig:
    """Settings of MLSH.

    Attributes:
        iterations: of playing D steps in every task and improving.
        sub_policies: K.
        option_length: N, steps that a master's choice holds; it must divide the horizon.
        warmup_updates: W, updates of a task's master before sub-policies learn from the task; 0
            lets them learn from the first.
        joint: U, updates of master and sub-policies after that.
        steps: D, environment steps that each task plays between updates, in whole episodes of the
            horizon's length: it is rounded down to them, to one at least. Where episodes end
            sooner, as many are played, in fewer steps.
        tasks: n, played side by side.
        processes: processor cores to spread tasks and sub-policies over; results depend on their
            number, as on a seed.
        staggered: whether tasks join spread over W + U updates, or all at once: their first warm-up
            is then longer for some.
        begin_anew: whether masters do, when their task changes; for ablations.
        weigh_by_use: whether sub-policies' steps are as long as their share of the steps.
        random_option: probability that a choice is drawn uniformly instead, while training; masters
            learn as if they had drawn it.
        fine_tune_after: updates of its master after which the agent's copies of the sub-policies
            learn on, as in the joint phase; they don't if left out.
        fine_tune_on: whose steps they learn from then: each from its "own", or every one from
            "all", as in intra-option learning (Sutton, Precup and Singh 1999), which makes them
            alike in the end.
        act: how the agent chooses in the episodes that are scored after learning: "sample" or
            "mode". While it learns it draws.
        master_only_features: how many of an observation's first numbers sub-policies don't see,
            such as an ant's place.
        network: the shape of masters and of sub-policies.
        log_std: logarithm of a box's deviations before training, in units of half the box.
        master, sub_policy: settings of their updates.
    """

    iterations: int = 1000
    sub_policies: int = 2
    option_length: int = 10
    warmup_updates: int = 9
    joint: int = 1
    steps: int = 2000
    tasks: int = 20
    processes: int = 1
    staggered: bool = True
    begin_anew: bool = True
    weigh_by_use: bool = True
    random_option: float = 0.0
    fine_tune_after: int | None = None
    fine_tune_on: str = "own"
    act: str = "mode"
    master_only_features: int = 0
    network: PerceptronConfig = field(default_factory=PerceptronConfig)
    log_std: float = 0.0
    master: StackedPPO = field(default_factory=StackedPPO)
    sub_policy: StackedPPO = field(
        default_factory=lambda: StackedPPO(lr=3e-4, minibatches=15, entropy_coef=0.05)
    )

    def __post_init__(self) -> None:
        check_fields(self)
        counts = {
            name: getattr(self, name)
            for name in (
                "iterations",
                "sub_policies",
                "option_length",
                "joint",
                "steps",
                "tasks",
                "processes",
            )
        }
        check_counts(**counts)
        if self.tasks % self.processes:
            raise ValueError(
                f"tasks ({self.tasks}) must be a multiple of processes ({self.processes})."
            )
        for name in ("warmup_updates", "master_only_features", "fine_tune_after"):
            count = getattr(self, name)
            if count is not None and (not isinstance(count, Integral) or count < 0):
                raise ValueError(f"{name} is a whole number that can't be negative, not {count}.")
        low, high = Gaussian.LOG_STD
        if not low <= self.log_std <= high:
            raise ValueError(
                f"log_std must lie in [{low}, {high}], where policies keep it, and is"
                f" {self.log_std}."
            )
        if not 0 <= self.random_option <= 1:
            raise ValueError(f"random_option is a probability, not {self.random_option}.")
        if self.act not in ("sample", "mode") or self.fine_tune_on not in ("own", "all"):
            raise ValueError(
                f"act must be 'sample' or 'mode', not {self.act!r}, and fine_tune_on 'own' or"
                f" 'all', not {self.fine_tune_on!r}."
            )


# Moving bandits: W, U, N, D, units and rates of the paper's appendix; tasks and the entropy bonus
# are ours
PAPER = MLSHConfig()
RELEASED = MLSHConfig(  # the same from the comment in the authors' code, which has no bonus
    warmup_updates=60,
    joint=2,
    steps=1000,
    random_option=0.1,
    network=PerceptronConfig(hidden=(32, 32)),
    sub_policy=StackedPPO(lr=3e-5, minibatches=15),
)


class MLSH:
    """Meta-trains sub-policies.

    Several ranks each play a part of the tasks and keep their masters; the tasks in the joint phase
    are made known to all, and each rank improves some of the sub-policies.

    Args:
        config: settings.
        distribution: where training tasks come from (split `train` only).
        seed: names every random stream.
        device: "cpu" or "cuda", environments included.
        group: the process group, in a program whose ranks all make the same learner; where none is
            given, `config.processes` are joined if a launcher such as torchrun started them, and
            else started by the first update.

    Raises:
        ValueError: observations are images, N doesn't divide the horizon, or there are several
            processes for a GPU.
    """

    Config = MLSHConfig
    label = "MLSH"  # as tables print it

    def __init__(
        self,
        config: MLSHConfig,
        distribution: TaskDistribution | str,
        seed: int | tuple[int, ...] = 0,
        device: str = "cpu",
        group: "ProcessGroup | None" = None,
    ):
        check_device(device)
        distribution = settled(type(self), config, distribution)
        self.config = config
        self.ranks = Ranks(
            config.processes, device, partial(MLSH, config, distribution, seed, device), group
        )
        check_vectors("MLSH", distribution.id, distribution.observation_space, "rl2 or joint-ppo")
        if distribution.horizon % config.option_length:
            raise ValueError(
                f"A master chooses every {config.option_length} steps, which doesn't divide the"
                f" horizon of {distribution.id}, {distribution.horizon}: choose another `every`."
            )
        self.distribution = distribution
        self.device = torch.device(device)
        self.seeds = (only_seed("MLSH", seed),)
        streams = derive_seed(self.seeds[0], "mlsh")
        self.task_seed = derive_seed(streams, "tasks")
        own = own_seed(streams, self.ranks.rank)
        self.rngs = {
            name: torch_generator(own, name, device=self.device)
            for name in ("environment", "actions", "options")
        }
        # the same in all ranks
        self.rngs["minibatches"] = torch_generator(streams, "minibatches", device=self.device)
        inputs = StepInputs(
            distribution.observation_space, distribution.action_space, observation_only=True
        ).to(self.device)
        self.hierarchy = Hierarchy(
            inputs,
            distribution.action_space,
            config.sub_policies,
            config.option_length,
            config.random_option,
            config.network,
            torch_generator(streams, "weights"),
            config.log_std,
            config.master_only_features,
        )
        self.first_master = [weight.to(self.device) for weight in self.hierarchy.first_master]
        row = torch.arange(config.tasks)
        # Of all tasks, those that are played here
        self.mine = row.chunk(config.processes)[self.ranks.rank]
        self.masters = Stack.of(
            [weight.expand(len(self.mine), *weight.shape) for weight in self.first_master]
        )
        self.sub_policies = Stack.of(
            [weight.to(self.device) for weight in self.hierarchy.first_sub_policies]
        )
        each = config.warmup_updates + config.joint
        # [n] updates of a task so far; what some warm up for longer, so that they join one after
        # another, lies below 0
        self.updates = -(row * each // config.tasks) if config.staggered else torch.zeros_like(row)
        self.tasks_before = torch.zeros_like(row)  # [n] that this row has had
        self.latest = {"return_first": 0.0, "return_warm": 0.0}
        self.iteration = self.steps = 0

    @property
    def episodes(self) -> int:
        """Episodes of a task between updates."""
        return episodes_between(self.config.steps, self.distribution.horizon)

    @cached_property
    def env(self) -> MetaEpisodeEnv:
        """Rows for a task's episodes side by side.

        Opened by the first update, since acting needs none.
        """
        rows = len(self.mine) * self.episodes
        return MetaEpisodeEnv(
            self.distribution, Episodes(1), rows, self.rngs["environment"], refill=False
        )

    def update(self) -> Metrics:
        """Play D steps in every task, improve all masters, and from tasks in the joint phase the
        sub-policies, in all ranks at once.

        Raises:
            ValueError: training diverged. PlugInError: a rank failed, or an update before broke
                off.
        """
        with self.ranks.together(self):
            metrics = self.play_and_improve()
        normalisers = self.hierarchy.inputs.state_dict().values()
        check_update(
            self.iteration,
            metrics,
            [*self.sub_policies.weights, *self.masters.weights, *normalisers],
        )
        return metrics

    def close(self) -> None:
        """End the other ranks and release the environments' workers.

        A further update starts them again.
        """
        self.ranks.close(self)
        if "env" in self.__dict__:
            self.__dict__.pop("env").close()

    def play_and_improve(self) -> Metrics:
        """Do this rank's part of an update.

        "return" is the mean return of an episode, "return_first" that of tasks whose master has
        just begun (masters that are kept, or warm up for longer, have learned before), and
        "return_warm" that of tasks at the end of their warm-up, from which no sub-policy has
        learned; where there are none now, those of the latest that there were (0 before the first).
        """
        config = self.config
        warm = self.updates >= self.config.warmup_updates
        if config.warmup_updates == 0 and self.iteration == 0 and self.ranks.rank == 0:
            problem = (
                "MLSH without a warm-up: sub-policies learn from what untrained masters choose (an"
                " ablation)."
            )
            warnings.warn(problem, stacklevel=3)
        steps, choices = self.play()
        # minibatches of all ranks are drawn alike
        self.improve_masters(as_long_everywhere(self.ranks.group, choices))
        if bool(warm.any()):
            self.improve_sub_policies(
                steps, choices, torch.nonzero(warm[self.mine]).flatten().to(self.device)
            )
        own = torch.where(steps.valid, steps.reward, 0).sum(0).mean(1).cpu()
        returns, played = all_gather(
            self.ranks.group, [own, steps.valid.sum().cpu()[None]]
        )  # [n], [ranks]
        for name, phase in (("return_first", 0), ("return_warm", config.warmup_updates)):
            if bool((self.updates == phase).any()):
                self.latest[name] = float(returns[self.updates == phase].mean())
        self.steps += int(played.sum())
        self.iteration += 1
        self.updates = self.updates + 1
        self.change_tasks()
        done = {
            "iteration": float(self.iteration),
            "steps": float(self.steps),
            "return": float(returns.mean()),
        }
        return {**done, **self.latest}

    @torch.no_grad()
    def play(self) -> tuple[Trajectory, Trajectory]:
        """Episodes of every task that is played here, step by step and choice by choice."""
        n, source = (
            self.config.tasks,
            fresh_tasks(self.distribution, "train", self.config.tasks, self.task_seed),
        )
        tasks = source(torch.arange(n), self.tasks_before)[self.mine]
        player = HierarchyPlayer(
            self.hierarchy, self.masters.weights, self.sub_policies.weights, self.rngs["options"]
        )
        rollout = collect(
            self.env,
            player,
            self.hierarchy.actions,
            lambda rows, counts: tasks[rows // self.episodes],
            self.rngs["actions"],
            True,
        )
        steps = by_task(rollout, self.hierarchy.inputs.encode, len(self.mine))
        choices = as_choices(steps, player)
        if self.hierarchy.inputs.normalises:
            self.learn_moments(rollout.observation[rollout.valid])
        return steps, choices

    def learn_moments(self, observations: Tensor) -> None:
        """Take what all ranks saw into the moments of observations, one rank after the other."""
        observations = observations.to(torch.float32)
        seen = [
            torch.tensor([len(observations)]),
            observations.mean(0)[None],
            observations.var(0, unbiased=False)[None],
        ]
        for count, mean, variance in zip(*all_gather(self.ranks.group, seen), strict=True):
            self.hierarchy.inputs.observation_moments.merge(int(count), mean, variance)

    def improve_masters(self, choices: Trajectory) -> None:
        """Each master by its own task's choices."""
        settings = self.config.master
        hierarchy = self.hierarchy
        batch = estimate_advantages(
            choices, settings.discount, settings.gae_lambda, by_time_alone=True
        )
        self.masters = improved(
            hierarchy.master,
            hierarchy.options,
            self.masters,
            batch,
            settings,
            self.rngs["minibatches"],
        )

    def improve_sub_policies(self, steps: Trajectory, choices: Trajectory, tasks: Tensor) -> None:
        """Improve each sub-policy by the steps that were its own of `tasks` [j], and of those that
        the other ranks give.
        """
        settings = self.config.sub_policy
        hierarchy = self.hierarchy
        # [T, j, R]
        option = choices.action[:, tasks].repeat_interleave(hierarchy.option_length, 0)[
            : len(steps.reward)
        ]
        (option,) = all_gather(self.ranks.group, [option], 1)
        everyones = all_gather_trajectory(self.ranks.group, steps.columns(tasks))
        batch = estimate_advantages(everyones, settings.discount, settings.gae_lambda)
        samples, use = by_sub_policy(
            together(batch), option.transpose(0, 1).flatten()[None], hierarchy
        )
        # this rank's sub-policies
        mine = torch.arange(hierarchy.num_options, device=self.device)[
            self.ranks.rank :: self.ranks.size
        ]
        better = improved(
            hierarchy.sub_policy,
            hierarchy.actions,
            self.sub_policies.of_rows(mine),
            Examples(
                samples.inputs[mine],
                PolicyGradientBatch(*(part[mine] for part in samples.targets[:4])),
            ),
            settings,
            self.rngs["minibatches"],
            use[mine] if self.config.weigh_by_use else torch.ones_like(use[mine]),
        )
        self.sub_policies = all_gather_stack(self.ranks.group, better)

    def change_tasks(self) -> None:
        """Where W + U updates are done, the next task comes, with a master begun anew."""
        done = self.updates >= self.config.warmup_updates + self.config.joint
        self.updates = torch.where(done, 0, self.updates)
        self.tasks_before = self.tasks_before + done
        if self.config.begin_anew and bool(done.any()):
            self.masters = self.masters.where(done[self.mine].to(self.device), self.first_master)

    def __repr__(self) -> str:
        return described(self)

    @property
    def finished(self) -> bool:
        """Whether all iterations are done."""
        return self.iteration >= self.config.iterations

    @staticmethod
    def usual_budget(config: MLSHConfig, distribution: TaskDistribution) -> Budget:
        """Return the warm-up, and the episodes that follow its last update."""
        each = episodes_between(config.steps, distribution.horizon)
        return Episodes(max(1, config.warmup_updates) * each, after=each)

    def agent(self, budget: Budget, seed_index: int = 0) -> MLSHAgent:
        """Return the agent that learns a master of its own over the sub-policies trained so far,
        which it copies.
        """
        if seed_index:
            raise ValueError(f"There is no seed number {seed_index}; this learner trains one seed.")
        check_weights(self.weights())
        hierarchy = copy.copy(self.hierarchy)
        hierarchy.inputs = copy.deepcopy(self.hierarchy.inputs)
        hierarchy.random_option = 0.0
        sub_policies = [weight.clone() for weight in self.sub_policies.weights]
        config = self.config
        tuning = None
        if config.fine_tune_after is not None:
            tuning = FineTuning(
                config.sub_policy,
                config.fine_tune_after,
                config.weigh_by_use,
                config.fine_tune_on == "own",
            )
        choosing = config.master, config.steps, config.act == "mode"
        return MLSHAgent(
            hierarchy,
            self.first_master,
            sub_policies,
            *choosing,
            self.distribution,
            as_budget(budget),
            tuning,
        )

    def weights(self, seed_index: int = 0) -> dict[str, Any]:
        """Return what `agent` needs.

        Sub-policies, the weights that masters begin with, and the moments of observations.
        """
        parts = (
            (self.hierarchy.sub_policy, self.sub_policies.weights),
            (self.hierarchy.master, self.first_master),
        )
        named = [
            {name: tensor.clone() for name, tensor in zip(network.names, own, strict=True)}
            for network, own in parts
        ]
        inputs = {
            name: tensor.clone() for name, tensor in self.hierarchy.inputs.state_dict().items()
        }
        return {"sub_policies": named[0], "first_master": named[1], "inputs": inputs}

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Take over sub-policies that another has trained.

        Raises:
            ValueError: they are of another shape.
        """
        self.ranks.renew(self)
        self._load_weights(weights)

    def _load_weights(self, weights: dict[str, Any]) -> None:
        check_weights({name: weights[name] for name in ("sub_policies", "first_master", "inputs")})
        loaded = {}
        for part, network, own in (
            ("sub_policies", self.hierarchy.sub_policy, self.sub_policies.weights),
            ("first_master", self.hierarchy.master, self.first_master),
        ):
            given = weights[part]
            shapes = {
                name: tuple(tensor.shape) for name, tensor in zip(network.names, own, strict=True)
            }
            others = {name: tuple(tensor.shape) for name, tensor in given.items()}
            if others != shapes:
                raise ValueError(
                    f"These weights are of other sub-policies or masters: shapes {others} rather"
                    f" than {shapes}."
                )
            loaded[part] = [
                given[name].to(self.device, torch.float32, copy=True) for name in network.names
            ]
        self.sub_policies = Stack.of(loaded["sub_policies"])
        self.first_master = loaded["first_master"]
        self.hierarchy.inputs.load_state_dict(weights["inputs"])

    def state_dict(self) -> dict[str, Any]:
        """Everything that `update` depends on; later updates change no tensor in it."""
        own = {**self.own_state(), "sub_policies_and_adam": self.sub_policies.state_dict()}
        if self.config.processes > 1:
            own["ranks"] = self.ranks.states_of_others(self)
        clocks = {
            "updates": self.updates,
            "tasks_before": self.tasks_before,
            "iteration": self.iteration,
            "steps": self.steps,
        }
        clocks["latest"] = dict(self.latest)
        return {**self.weights(), **own, **clocks}

    def own_state(self) -> dict[str, Any]:
        """Return this rank's masters, and the states of its streams."""
        return {
            "masters": self.masters.state_dict(),
            "streams": {name: rng.get_state() for name, rng in self.rngs.items()},
        }

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Go on with these masters and streams."""
        self.masters = Stack.from_state(state["masters"], self.device)
        for name in ("environment", "actions", "options"):
            self.rngs[name].set_state(state["streams"][name].cpu())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`, in whichever phase its tasks were."""
        own = self.own_state()
        self._load_weights(state)
        self.load_own_state(state)
        self.rngs["minibatches"].set_state(state["streams"]["minibatches"].cpu())
        self.sub_policies = Stack.from_state(state["sub_policies_and_adam"], self.device)
        self.updates = state["updates"].cpu()
        self.tasks_before = state["tasks_before"].cpu()
        self.iteration = int(state["iteration"])
        self.steps = int(state["steps"])
        self.latest = {name: float(value) for name, value in state["latest"].items()}
        self.ranks.take_over(self, state, own)


def together(batch: Examples) -> Examples:
    """Return the steps of all tasks, inputs [n, m, F] and targets [n, m], as those of one.

    [1, n m, F] and [1, n m].
    """
    targets: PolicyGradientBatch = batch.targets
    inputs, action, log_prob, advantage, weight = (
        part.flatten(0, 1)[None] for part in (batch.inputs, *targets[:4])
    )
    return Examples(inputs, PolicyGradientBatch(action, log_prob, advantage, weight))
