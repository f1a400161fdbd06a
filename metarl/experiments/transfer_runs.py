"""The trainings of transfer between levels and games, and all their settings."""

from dataclasses import replace
from typing import Any, Literal

from metarl.experiments.run_config import RunConfig
from metarl.learners.joint_ppo import JointPPOConfig
from metarl.networks.actor_critic import ActorCriticConfig

__all__ = ["COIN_RUN_LEVELS", "Preset", "coin_run_run"]

Preset = Literal["smoke", "cpu", "paper"]

COIN_RUN_LEVELS = (10, 50, 200)  # training levels that the gap between known and new levels is measured over

# Cobbe et al. 2018's settings with the Nature network, on a laptop's number of steps; rewards of 10 are learned from as 1.
COIN_RUN = JointPPOConfig(reward_scale=0.1, network=ActorCriticConfig("nature", precision="bfloat16"))
COIN_RUN_SETTINGS: dict[str, Any] = {}  # of the distribution, beside the number of levels
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"num_envs": 4, "steps": 32, "iterations": 2},
    "cpu": {},
    "paper": {"iterations": 31_250},  # the paper's 256 million steps
}


def coin_run_run(levels: int, preset: Preset = "cpu", seed: int = 0, device: str = "cpu") -> RunConfig:
    """Joint PPO on `levels` training levels of CoinRun."""
    return RunConfig("joint-ppo", replace(COIN_RUN, **SIZES[preset]), "CoinRun-v0", {"levels": levels, **COIN_RUN_SETTINGS}, seed, device)
