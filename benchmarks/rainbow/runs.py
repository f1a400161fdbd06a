"""The trainings that show that Rainbow learns, with each of its parts switched off in turn, and all
their settings.
"""

from dataclasses import dataclass, replace
from typing import Any

from metarl.learners.transfer.joint_rainbow import JointRainbowConfig
from metarl.learners.transfer.rainbow import RainbowConfig
from metarl.learners.transfer.replay import ReplayConfig
from metarl.networks.rainbow_network import RainbowNetworkConfig
from metarl.runs.config import RunConfig

__all__ = ["GAMES", "PARTS", "Game", "rainbow_run"]


@dataclass(frozen=True)
class Game:
    """What is played, for how long, and what is to be reached.

    Attributes:
        distribution, arguments: of the training and of the scores.
        score: "total" return of an episode, or "success".
        wanted: least mean score on the tasks of the training.
        iterations: of `steps` steps in each of 16 rows.
        rainbow: the settings.
    """

    distribution: str
    arguments: dict[str, Any]
    score: str
    wanted: float
    steps: int
    iterations: int
    rainbow: RainbowConfig


# The paper's is as large as most gradients here, so that updates as few as these would move little
ADAM_EPSILON = 1e-6

GAMES = {
    "cart-pole": Game(
        "CartPole-v0",
        {"low": 1.0, "high": 1.0, "friction": 0.0, "reversals": False},
        score="total",
        wanted=150.0,  # of 200
        steps=64,
        iterations=10,
        rainbow=RainbowConfig(
            start=500,
            batch=64,
            n_step=5,
            update_every=8,
            target_every=500,
            lr=2e-3,
            epsilon_steps=3000,
            act="mode",
            network=RainbowNetworkConfig(layers=(64,), hidden=64, v_min=0.0, v_max=100.0),
            replay=ReplayConfig(capacity=20_000, beta_steps=0),
        ),
    ),
    "visual-maze": Game(
        "VisualMaze-v0",
        {"size": 3, "horizon": 60, "train_mazes": 5},
        score="total",
        wanted=0.7,  # the shortest ways give 0.78, random play -1.5
        steps=64,
        iterations=20,
        rainbow=RainbowConfig(
            start=256,
            update_every=8,
            target_every=256,
            lr=1e-3,
            adam_epsilon=ADAM_EPSILON,
            network=RainbowNetworkConfig(encoder="rl2", hidden=0, v_min=-2.5, v_max=1.0),
            replay=ReplayConfig(capacity=20_000, beta_steps=0),
        ),
    ),
    "coin-run": Game(
        "CoinRun-v0",
        {"levels": 5, "difficulty": "easy", "horizon": 250},
        score="success",
        wanted=0.9,
        steps=128,
        iterations=22,
        rainbow=RainbowConfig(
            start=2_000,
            update_every=4,
            target_every=512,
            n_step=5,
            lr=5e-4,
            adam_epsilon=ADAM_EPSILON,
            reward_scale=0.1,
            network=RainbowNetworkConfig(
                encoder="nature", hidden=128, v_min=-1.0, v_max=1.0, precision="bfloat16"
            ),
            replay=ReplayConfig(capacity=50_000, beta_steps=0),
        ),
    ),
}


def without(part: str, config: RainbowConfig) -> RainbowConfig:
    """Return the settings with one of the six parts switched off."""
    if part == "double":
        return replace(config, double=False)
    if part == "n-step":
        return replace(config, n_step=1)
    if part == "prioritised":
        return replace(config, replay=replace(config.replay, prioritised=False))
    network = replace(
        config.network,
        duelling=config.network.duelling and part != "duelling",
        noisy=config.network.noisy and part != "noisy",
        distributional=config.network.distributional and part != "distributional",
    )
    return replace(config, network=network)


PARTS = ("double", "duelling", "noisy", "distributional", "prioritised", "n-step")


def rainbow_run(
    game: str, seed: int, part: str | None = None, iterations: int | None = None
) -> RunConfig:
    """Return one training; without a `part` if that is named, and shorter if that is asked for.

    Raises:
        ValueError: there is no such game or part.
    """
    if game not in GAMES:
        raise ValueError(f"There is no game {game!r}; choose one of {', '.join(GAMES)}.")
    if part is not None and part not in PARTS:
        raise ValueError(f"Rainbow has no part {part!r}; choose one of {', '.join(PARTS)}.")
    chosen = GAMES[game]
    rainbow = chosen.rainbow if part is None else without(part, chosen.rainbow)
    config = JointRainbowConfig(
        16, chosen.steps, iterations or chosen.iterations, rainbow=rainbow, fine_tuning=rainbow
    )
    return RunConfig("joint-rainbow", config, chosen.distribution, chosen.arguments, seed)
