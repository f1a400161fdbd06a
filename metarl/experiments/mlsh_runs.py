"""The trainings of shared hierarchies, with what their paper argues from left out one at a time."""

from dataclasses import replace

from metarl.experiments.run_config import RunConfig
from metarl.learners.mlsh import PAPER, MLSHConfig

__all__ = ["ABLATIONS", "MOVING_BANDITS", "SEEDS", "bandits_run"]

SEEDS = (0, 1, 2, 3, 4)
MOVING_BANDITS = replace(PAPER, iterations=400)

ABLATIONS: dict[str, MLSHConfig] = {  # by what is different
    "no warm-up": replace(MOVING_BANDITS, warm_up=0, joint=10),
    "masters not begun anew": replace(MOVING_BANDITS, begin_anew=False),
    "one sub-policy": replace(MOVING_BANDITS, sub_policies=1),
    "a choice every 5 steps": replace(MOVING_BANDITS, every=5),
    "a choice every 25 steps": replace(MOVING_BANDITS, every=25),
    "one choice an episode": replace(MOVING_BANDITS, every=50),
    "steps not weighed by use": replace(MOVING_BANDITS, weigh_by_use=False),
}


def bandits_run(ablation: str | None = None, seed: int = 0, device: str = "cpu") -> RunConfig:
    """MLSH on moving bandits, whole or with one thing different."""
    config = MOVING_BANDITS if ablation is None else ABLATIONS[ablation]
    return RunConfig("mlsh", config, "MovingBandits-v0", {}, seed, device)
