"""The trainings of CoinRun.

Joint PPO with the Nature network on more and more levels (Cobbe et al. 2018), and all their
settings.
"""

from dataclasses import replace
from typing import Any, Literal

from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.transfer.joint_ppo import JointPPOConfig
from metarl.networks.policies.actor_critic import ActorCriticConfig
from metarl.runs.config import RunConfig

__all__ = ["COIN_RUN", "COIN_RUN_LEVELS", "NATURE", "SMALL", "Preset", "coin_run_run"]

Preset = Literal["smoke", "cpu", "paper"]
SMALL: dict[str, Any] = {"num_envs": 2, "steps": 16, "iterations": 2}  # of the preset smoke

# Training levels that the gap between known and new levels is measured over
COIN_RUN_LEVELS = (10, 50, 200)

# The Nature network, and the settings that learned 10 training levels fastest, of three: Cobbe et
# al. 2018's own (discount 0.999, a bonus of 0.01 for entropy, lr 5e-4) solved half of them in 2
# million steps, monsters included. Rewards of 10 are learned from as 1.
NATURE = ActorCriticConfig("nature", precision="bfloat16")
COIN_RUN_PPO = PPOConfig(
    discount=0.995,
    gae_lambda=0.95,
    epochs=3,
    minibatches=8,
    lr=1e-3,
    lr_end=0.0,
    entropy_coef=0.002,
    entropy_end=0.002,
    value_coef=0.5,
)
COIN_RUN = JointPPOConfig(
    steps=128, iterations=500, reward_scale=0.1, network=NATURE, ppo=COIN_RUN_PPO
)
# Levels without monsters: with them, most of 10 levels aren't solved once in so many steps.
# Training cuts an episode after 250 steps, since whoever stands still for 1,000 learns nothing;
# scores are taken at the full horizon.
COIN_RUN_SETTINGS: dict[str, Any] = {"difficulty": "easy", "horizon": 250}
# The paper's 256 million steps
SIZES: dict[str, dict[str, Any]] = {"smoke": SMALL, "cpu": {}, "paper": {"iterations": 62_500}}


def coin_run_run(
    levels: int, preset: Preset = "cpu", seed: int = 0, device: str = "cpu"
) -> RunConfig:
    """Joint PPO on `levels` training levels of CoinRun."""
    return RunConfig(
        "joint-ppo",
        replace(COIN_RUN, **SIZES[preset]),
        "CoinRun-v0",
        {"levels": levels, **COIN_RUN_SETTINGS},
        seed,
        device,
    )
