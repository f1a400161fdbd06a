"""The trainings of shared hierarchies, with what their paper argues from left out one at a time,
and of one policy for all tasks.
"""

from dataclasses import dataclass, replace
from typing import Any

from metarl.core.budget import Episodes
from metarl.learners.hierarchy.mlsh import PAPER, MLSHConfig
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.policy_initialisation import PolicyInitialisationConfig
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.policy_gradient.stacked_ppo import StackedPPO
from metarl.learners.transfer.joint_ppo import JointPPOConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.config import RunConfig

__all__ = [
    "ABLATIONS",
    "FOUR_ROOMS",
    "FOUR_ROOMS_ITERATIONS",
    "FOUR_ROOMS_QUICK",
    "MOVING_BANDITS",
    "OTHERS",
    "SEEDS",
    "SHARED",
    "TWO_WALK",
    "Other",
    "alone",
    "bandits_run",
    "four_rooms_run",
    "other_run",
    "shared_run",
    "two_walk_run",
]

SEEDS = (0, 1, 2, 3, 4)
SHARED = "Shared policy, fine-tuned"
MOVING_BANDITS = replace(PAPER, iterations=250)

# Chosen by goals that weren't trained for, of the training split: sub-policies that are sure of
# their ways don't come by new goals.
FOUR_ROOMS = MLSHConfig(
    iterations=60,
    sub_policies=4,
    option_length=50,
    warmup_updates=6,
    joint=6,
    tasks=30,
    sub_policy=StackedPPO(lr=3e-3, minibatches=15, entropy_coef=0.3),
)
FOUR_ROOMS_ITERATIONS = {"room": 60, "upper-room": 60, "any": 120}  # by where goals are
# At test: an update every second episode is best for PPO from scratch, on training goals in one
# room, of every episode, 2, 3, 5 and 10.
FOUR_ROOMS_QUICK = replace(
    FOUR_ROOMS,
    steps=200,
    fine_tune_on="all",
    sub_policy=replace(FOUR_ROOMS.sub_policy, minibatches=2, entropy_coef=0.01),
)

# Walking has to be learned first, so that sub-policies take longer steps than the paper's, and more
# of them. Ants that fall over don't get up again, so that an episode is one choice long. The
# sub-policy that is faster is chosen in both tasks; so that the other can catch up, one choice in
# five is drawn, and its steps are as long as the first one's.
TWO_WALK_HORIZON = 200
TWO_WALK = MLSHConfig(
    iterations=150,
    option_length=200,
    random_option=0.2,
    weigh_by_use=False,
    warmup_updates=10,
    joint=20,
    steps=4000,
    tasks=10,
    master_only_features=2,
    log_std=-1.0,
    sub_policy=StackedPPO(lr=1e-3, minibatches=64, gae_lambda=0.95),
)

ABLATIONS: dict[str, dict[str, Any]] = {  # settings that are different
    "no warm-up": {"warmup_updates": 0, "joint": 10},
    "masters not begun anew": {"begin_anew": False},
    "one sub-policy": {"sub_policies": 1},
    "a choice every 5 steps": {"option_length": 5},
    "a choice every 25 steps": {"option_length": 25},
    "one choice an episode": {"option_length": 50},
    "steps not weighed by use": {"weigh_by_use": False},
}

ALONE = PPOConfig(
    gae_lambda=0.95,
    epochs=10,
    minibatches=15,
    lr=3e-4,
    lr_end=3e-4,
    entropy_coef=0.0,
    value_coef=0.5,
)
# Chosen on training tasks, of two
TOGETHER = replace(ALONE, epochs=4, minibatches=8, lr=1e-3, lr_end=0.0, entropy_coef=0.01)
ONE_POLICY = JointPPOConfig(
    num_envs=200, steps=50, iterations=1000, ppo=TOGETHER, fine_tuning_steps=2000, fine_tuning=ALONE
)


@dataclass(frozen=True)
class Other:
    """Another kind of learner on moving bandits.

    Attributes:
        learner: its name in the registry. config: its settings.
        budget: what is played of a test task; the episodes after learning are scored.
    """

    learner: str
    config: Any
    budget: Episodes


OTHERS = {  # settings were chosen on training tasks
    "RL²": Other(
        "rl2",
        RL2Config(
            episodes=4,
            num_envs=256,
            iterations=100,  # of 51,200 steps
            network=NetworkConfig("gru", hidden_size=64),
            ppo=PPOConfig(discount=0.99, gae_lambda=0.95, lr=2e-3, entropy_coef=0.01),
        ),
        Episodes(2, after=2),
    ),
    "MAML": Other(
        "maml-rl",
        PolicyInitialisationConfig(
            inner_steps=3, adaptation=Adaptation(episodes=20, inner_lr=0.1), iterations=50
        ),
        Episodes(60, after=20),
    ),
}


def bandits_run(ablation: str | None = None, seed: int = 0, device: str = "cpu") -> RunConfig:
    """MLSH on moving bandits, whole or with one thing different."""
    return RunConfig(
        "mlsh",
        replace(MOVING_BANDITS, **ABLATIONS[ablation] if ablation else {}),
        "MovingBandits-v0",
        {},
        seed,
        device,
    )


def shared_run(device: str = "cpu") -> RunConfig:
    """Return one policy for both tasks, which learns on in each by PPO, in steps as long as those
    of MLSH's sub-policies.
    """
    return RunConfig("joint-ppo", ONE_POLICY, "MovingBandits-v0", {}, 0, device)


def four_rooms_run(
    goals: str = "room", seed: int = 0, device: str = "cpu", one_policy: bool = False
) -> RunConfig:
    """MLSH in four rooms, goals in one "room", another, "upper-room", or "any".

    Or a single policy for all, trained by the same steps.
    """
    config = replace(FOUR_ROOMS, iterations=FOUR_ROOMS_ITERATIONS[goals])
    if one_policy:
        config = replace(config, sub_policies=1, option_length=100)
    return RunConfig("mlsh", config, "FourRooms-v0", {"goals": goals}, seed, device)


def two_walk_run(seed: int = 0, device: str = "cpu") -> RunConfig:
    """MLSH on the two-way walk, whose place only masters see."""
    return RunConfig(
        "mlsh",
        TWO_WALK,
        "AntTwoWalk-v0",
        {"shows_place": True, "horizon": TWO_WALK_HORIZON},
        seed,
        device,
    )


def alone(config: MLSHConfig, horizon: int) -> MLSHConfig:
    """Return a single policy that learns by PPO in each task by itself, with the settings of a
    hierarchy's sub-policies.
    """
    return replace(
        config, sub_policies=1, option_length=horizon, master_only_features=0, fine_tune_after=0
    )


def other_run(name: str, device: str = "cpu") -> RunConfig:
    """Return one of `OTHERS` on moving bandits."""
    other = OTHERS[name]
    return RunConfig(other.learner, other.config, "MovingBandits-v0", {}, 0, device)
