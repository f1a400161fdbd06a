"""The trainings of policies that adapt by gradients, and of what they are held against.

RL², and a policy trained on all tasks jointly.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.joint_rl import JointRLConfig
from metarl.learners.initialisation.policy_initialisation import (
    ClippedPPO,
    PolicyInitialisationConfig,
)
from metarl.learners.initialisation.reptile_rl import ReptileRLConfig
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.optimizers import Adam
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.policy_gradient.trust_region import TRPO
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.config import RunConfig

__all__ = ["FAMILIES", "RL2_NAME", "Family", "Plan", "adaptation_run"]

RL2_NAME = "RL²"


@dataclass(frozen=True)
class Plan:
    """How one learner is trained.

    Attributes:
        learner: its name in the registry. config: its settings.
    """

    learner: str
    config: Any


@dataclass(frozen=True)
class Family:
    """Tasks, and the learners that are trained on them.

    Attributes:
        id: the distribution. plans: the learners, as tables name them.
        updates: gradient steps that are scored. arguments: of the distribution.
        inner_lrs: sizes of the scored steps, of which each learner gets the one that is best on
            training tasks.
    """

    id: str
    plans: dict[str, Plan]
    updates: int = 3
    arguments: dict[str, Any] = field(default_factory=dict)
    inner_lrs: tuple[float, ...] = (0.001, 0.003, 0.01, 0.025, 0.05, 0.1, 0.2)


# Inner steps are as many as are scored; their size in training was chosen on training tasks, of
# 0.1, 0.2, 0.5 and 1.
STEP = Adaptation(episodes=20, inner_lr=0.1)
MAML = FOMAML = PolicyInitialisationConfig(inner_steps=3, adaptation=STEP, iterations=100)
REPTILE = ReptileRLConfig(inner_steps=3, adaptation=STEP)
# As many environment steps as MAML, which plays every task four times
JOINT = JointRLConfig(iterations=400, adaptation=STEP)
BY_PPO = ClippedPPO(epochs=5, adam=Adam(1e-3))
NAVIGATING_RL2 = RL2Config(
    episodes=4,
    num_envs=256,
    iterations=200,
    network=NetworkConfig("gru", hidden_size=64),
    ppo=PPOConfig(discount=0.99, gae_lambda=0.95, lr=2e-3, entropy_coef=0.0),
)
NAVIGATION = {
    "MAML, TRPO": Plan("maml-rl", MAML),
    "FOMAML, TRPO": Plan("fomaml-rl", FOMAML),
    "Reptile, TRPO": Plan("reptile-rl", REPTILE),
    "MAML, PPO": Plan("maml-rl", replace(MAML, outer=BY_PPO, iterations=200)),
    "FOMAML, PPO": Plan("fomaml-rl", replace(FOMAML, outer=BY_PPO)),
    "Reptile, PPO": Plan("reptile-rl", replace(REPTILE, outer=BY_PPO)),
    "Joint training, fine-tuned": Plan("joint-rl", JOINT),
    RL2_NAME: Plan("rl2", NAVIGATING_RL2),
}

RUNNING = Adaptation(episodes=10, inner_lr=0.1)
WIDE = TRPO(max_kl=0.02)
CHEETAHS = {
    "MAML, TRPO": Plan(
        "maml-rl",
        PolicyInitialisationConfig(inner_steps=1, adaptation=RUNNING, outer=WIDE, iterations=150),
    ),
    "Joint training, fine-tuned": Plan(
        "joint-rl", JointRLConfig(adaptation=RUNNING, outer=WIDE, iterations=300)
    ),
}
FAMILIES = {
    "point-navigation": Family("PointNavigation-v0", NAVIGATION),
    "half-cheetah-direction": Family("HalfCheetahDirection-2way-h200-v0", CHEETAHS, updates=1),
    "half-cheetah-velocity": Family("HalfCheetahVelocity-0to2-h200-v0", CHEETAHS, updates=1),
}


def adaptation_run(family: str, label: str, seed: int = 0, device: str = "cpu") -> RunConfig:
    """Return one run.

    Raises:
        ValueError: an unknown family, or a learner that isn't trained on it.
    """
    if family not in FAMILIES or label not in FAMILIES[family].plans:
        known = FAMILIES.get(family)
        raise ValueError(
            f"Choose a family of {', '.join(FAMILIES)}, not {family!r}."
            if known is None
            else f"On {family}, choose a learner of {'; '.join(known.plans)}, not {label!r}."
        )
    chosen = FAMILIES[family]
    plan = chosen.plans[label]
    return RunConfig(plan.learner, plan.config, chosen.id, chosen.arguments, seed, device)
