"""The trainings of transfer between levels and games, what is played at test, and all settings."""

from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.coin_run.runs import COIN_RUN, NATURE, SMALL, Preset, coin_run_run
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.transfer.joint_ppo import JointPPOConfig
from metarl.learners.transfer.joint_rainbow import JointRainbowConfig
from metarl.learners.transfer.rainbow import SONIC as SONIC_RAINBOW
from metarl.learners.transfer.rainbow import RainbowConfig
from metarl.learners.transfer.replay import ReplayConfig
from metarl.networks.policies.actor_critic import ActorCriticConfig
from metarl.networks.rainbow_network import RainbowNetworkConfig
from metarl.runs.config import RunConfig

__all__ = ["GAMES", "STEPS", "Game", "joint_run"]

# At test, on each level
STEPS: dict[Preset, int] = {"smoke": 120, "cpu": 200_000, "paper": 1_000_000}

# Nichol et al. 2018's PPO plays one row at test, 8,192 steps between updates. With a fifth of its
# steps, updates come four times as often.
ALONE = PPOConfig(
    discount=0.99,
    gae_lambda=0.95,
    epochs=4,
    minibatches=8,
    lr=2.5e-4,
    lr_end=2.5e-4,
    entropy_coef=0.01,
    entropy_end=0.01,
    value_coef=0.5,
)
FRAMES = JointPPOConfig(
    num_envs=16,
    steps=128,
    iterations=500,
    network=NATURE,
    ppo=replace(ALONE, lr_end=0.0),
    fine_tuning=ALONE,
)
# As the paper has it: 188 workers, four on each level, 8,192 steps between updates at test; 400
# million steps of joint training.
SONIC_PPO = PPOConfig(
    discount=0.99,
    gae_lambda=0.95,
    epochs=4,
    minibatches=4,
    lr=2e-4,
    lr_end=2e-4,
    clip=0.2,
    entropy_coef=0.001,
    entropy_end=0.001,
    value_coef=0.5,
)
SONIC_JOINT_PPO = JointPPOConfig(
    num_envs=188,
    steps=512,
    iterations=4155,
    assignment="fixed",
    reward_scale=0.005,
    new_progress_only=True,
    network=ActorCriticConfig("nature"),
    ppo=SONIC_PPO,
    fine_tuning_steps=8192,
    fine_tuning=replace(SONIC_PPO, minibatches=1),
)

SONIC_JOINT_RAINBOW = JointRainbowConfig(
    num_envs=256, steps=256, iterations=763, rainbow=SONIC_RAINBOW, fine_tuning=SONIC_RAINBOW
)


def rainbow(reward_scale: float) -> JointRainbowConfig:
    """Joint Rainbow on a laptop, where an update takes as long as 40 steps.

    There is one for every 8 steps, at test for every 4.
    """
    network = RainbowNetworkConfig(encoder="nature", hidden=0, precision="bfloat16")
    settings = RainbowConfig(
        reward_scale=reward_scale,
        reward_clip=0.0,
        start=5000,
        target_every=2000,
        lr=1e-4,
        adam_epsilon=1e-6,  # the paper's is as large as most gradients here
        network=network,
        replay=ReplayConfig(stack=4),
    )
    return JointRainbowConfig(
        num_envs=8,
        steps=256,
        iterations=250,
        rainbow=replace(settings, update_every=8),
        fine_tuning=settings,
    )


@dataclass(frozen=True)
class Game:
    """A game whose levels, flavours or states are trained on and tested.

    Attributes:
        id: the distribution.
        learners: the settings of joint training and of what learns at test, by the learner's name.
        arguments: of the distribution, in training and at test.
        training: further ones in training.
        of_agents: further ones, by the agent's label, of agents that act by other actions.
        levels: places of the test tasks that are played, chosen before any was; all of them if
            empty.
        seeds: each is played once with each.
        steps: on each test level, of the preset cpu.
    """

    id: str
    learners: dict[str, JointPPOConfig | JointRainbowConfig]
    arguments: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    of_agents: dict[str, dict[str, Any]] = field(default_factory=dict)
    levels: tuple[int, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = STEPS["cpu"]


GAMES = {
    "coin-run": Game(
        "CoinRun-v0",
        {
            "joint-ppo": replace(
                COIN_RUN,
                fine_tuning=replace(ALONE, discount=0.995, entropy_coef=0.002, entropy_end=0.002),
            )
        },
        {"levels": 200, "difficulty": "easy"},
        {"horizon": 250},
        levels=(0, 1, 2, 3, 4),
        seeds=(0, 1, 2, 3, 4),
    ),
    "airstriker": Game(
        "Airstriker-v0",
        {
            "joint-ppo": replace(FRAMES, num_envs=8, iterations=300, reward_scale=0.05),
            "joint-rainbow": rainbow(0.05),
        },
        levels=(0, 2),  # a beginning of level 3, and one of the endless mode
        steps=50_000,  # an emulator plays 150 to 350 steps a second
    ),
    "freeway": Game(
        "AtariFlavours-v0",
        {"joint-ppo": FRAMES, "joint-rainbow": rainbow(1.0)},
        {"game": "freeway"},
        levels=(0, 2),
    ),
    "space-invaders": Game(
        "AtariFlavours-v0",
        {"joint-ppo": replace(FRAMES, reward_scale=0.05), "joint-rainbow": rainbow(0.05)},
        {"game": "space_invaders"},
        levels=(0, 4),
    ),
    "sonic": Game(
        "Sonic-v0",
        {"joint-ppo": SONIC_JOINT_PPO, "joint-rainbow": SONIC_JOINT_RAINBOW},
        of_agents={"JERK": {"actions": 5}},
    ),
}


def joint_run(
    game: str, learner: str, preset: Preset = "cpu", seed: int = 0, device: str = "cpu"
) -> RunConfig:
    """Joint training on the training tasks of a game.

    Raises:
        ValueError: there is no game of that name, or no settings of that learner for it.
    """
    if game not in GAMES:
        raise ValueError(f"There is no game {game!r} here; choose one of {', '.join(GAMES)}.")
    own = GAMES[game]
    if learner not in own.learners:
        raise ValueError(
            f"There are no settings of {learner!r} for {game}; choose of {', '.join(own.learners)}."
        )
    if game == "coin-run" and learner == "joint-ppo":
        return coin_run_run(own.arguments["levels"], preset, seed, device)
    config: Any = own.learners[learner]
    config = replace(config, **SMALL) if preset == "smoke" else config
    return RunConfig(learner, config, own.id, {**own.arguments, **own.training}, seed, device)
