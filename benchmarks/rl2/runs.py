"""The trainings of RL² for Tables 1 and 2, in mazes and in grids.

The only place with their settings.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.rl2.rows import PresetName, Row
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.config import RunConfig

__all__ = ["TRAININGS", "Training", "maze_run", "rl2_config", "rl2_run", "start_row"]


@dataclass(frozen=True)
class Training:
    """One setting that RL² is trained in.

    Attributes:
        id: the distribution.
        config: RL²'s.
        arguments: of the distribution in training.
        seeds: of its runs.
        start: the training whose weights it begins with, seed by seed.
    """

    id: str
    config: RL2Config
    arguments: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    start: str | None = None


# Episodes are cut after 60 steps in training: a systematic explorer needs 48 at most, and scores
# are taken at the full horizon.
SHORT = {"horizon": 60}
GRID_MAZE = RL2Config(
    episodes=2,
    num_envs=256,
    iterations=200,
    network=NetworkConfig("spatial_memory", hidden_size=64),
    ppo=PPOConfig(discount=0.99, gae_lambda=0.95, lr=2e-3, entropy_coef=0.02, entropy_until=0.8),
)
# Trained in 1,000 mazes first, then in mazes without end: a small gap is left that only more mazes
# close.
GRID_MAZE_ON = replace(GRID_MAZE, num_envs=512, iterations=400, ppo=replace(GRID_MAZE.ppo, lr=1e-3))
# And last with many mazes an iteration, small steps and no bonus for doing this and that: exploring
# well differs by little from exploring.
GRID_MAZE_LATE = replace(
    GRID_MAZE_ON,
    num_envs=1024,
    iterations=150,
    ppo=replace(GRID_MAZE.ppo, lr=5e-4, entropy_coef=0.0),
)
# Without a memory for each place
GRID_MAZE_GRU = replace(GRID_MAZE, iterations=400, network=NetworkConfig("gru", hidden_size=128))
# What two episodes in perfect mazes don't teach
GRID_MAZE_LOOPS = replace(GRID_MAZE_ON, num_envs=256, episodes=5, iterations=60)
VISUAL_MAZE = RL2Config(
    episodes=2,
    num_envs=128,
    iterations=600,
    network=NetworkConfig("gru", hidden_size=128),
    ppo=PPOConfig(discount=0.99, gae_lambda=0.95, lr=1e-3, entropy_coef=0.02, entropy_until=0.8),
)
VISUAL_MAZE_ON = replace(VISUAL_MAZE, iterations=300)
GRID_NAVI = RL2Config(
    episodes=4,
    num_envs=512,
    iterations=200,
    network=NetworkConfig("gru", hidden_size=64),
    ppo=PPOConfig(discount=0.97, gae_lambda=0.9, lr=3e-3, entropy_coef=0.05, entropy_until=0.8),
)

TRAININGS: dict[str, Training] = {
    "grid-maze-10": Training("GridMaze-v0", GRID_MAZE, {**SHORT, "train_mazes": 10}),
    "grid-maze-100": Training("GridMaze-v0", GRID_MAZE, {**SHORT, "train_mazes": 100}),
    "grid-maze-1000": Training("GridMaze-v0", GRID_MAZE, SHORT),
    "grid-maze-endless": Training(
        "GridMaze-v0", GRID_MAZE_ON, {**SHORT, "train_mazes": 0}, start="grid-maze-1000"
    ),
    "grid-maze": Training(
        "GridMaze-v0", GRID_MAZE_LATE, {**SHORT, "train_mazes": 0}, start="grid-maze-endless"
    ),
    "grid-maze-gru": Training("GridMaze-v0", GRID_MAZE_GRU, {**SHORT, "train_mazes": 0}),
    "grid-maze-loops": Training(
        "GridMaze-v0",
        GRID_MAZE_LOOPS,
        {**SHORT, "loops": 0.1, "train_mazes": 0},
        start="grid-maze-endless",
    ),
    "visual-maze-1000": Training("VisualMaze-v0", VISUAL_MAZE, {"horizon": 100}),
    "visual-maze": Training(
        "VisualMaze-v0",
        VISUAL_MAZE_ON,
        {"horizon": 100, "train_mazes": 0},
        start="visual-maze-1000",
    ),
    "grid-navi": Training("GridNavi-v0", GRID_NAVI),
}


def maze_run(name: str, seed: int, device: str = "cpu") -> RunConfig:
    """Return one run of a training.

    Raises:
        ValueError: there is no training of that name.
    """
    if name not in TRAININGS:
        raise ValueError(f"There is no training {name!r}; choose one of {', '.join(TRAININGS)}.")
    training = TRAININGS[name]
    start = None if training.start is None else maze_run(training.start, seed, device).origin()
    return RunConfig("rl2", training.config, training.id, training.arguments, seed, device, start)


def rl2_config(row: Row, preset: PresetName) -> RL2Config:
    """Return the settings that RL² is trained with in `row` under `preset`.

    They were chosen by scores on training tasks.
    """
    config = bandit_config(row.n, row.k) if row.k is not None else mdp_config(row.n)
    return replace(config, iterations=2, num_envs=64) if preset == "smoke" else config


def bandit_config(n: int, k: int) -> RL2Config:
    """Short bandits.

    A GRU. Longer ones: a memory for each arm, and undiscounted returns, since early pulls pay late.
    """
    if n <= 10:
        return RL2Config(episodes=n, iterations={5: 150, 10: 200, 50: 300}[k])
    network = NetworkConfig("per_pair_memory", hidden_size=32)
    ppo = PPOConfig(discount=1.0, gae_lambda=0.95)
    if n <= 100:
        return RL2Config(
            episodes=n, num_envs=512, iterations=200, network=network, ppo=replace(ppo, lr=1e-2)
        )
    return RL2Config(
        episodes=n,
        num_envs=256,
        iterations=60,
        network=network,
        ppo=replace(ppo, lr=1e-3, gae_lambda=0.9, entropy_coef=0.005),
    )


def mdp_config(n: int) -> RL2Config:
    """Return a memory for each pair of state and action.

    Rows after the first start from the row before.
    """
    network = NetworkConfig("per_pair_memory", hidden_size=32)
    ppo = PPOConfig(discount=0.998, gae_lambda=0.95, entropy_until=0.7)
    if n <= 10:
        return RL2Config(episodes=n, num_envs=512, iterations=150, network=network, ppo=ppo)
    ppo = replace(ppo, lr=2e-3, gae_lambda=0.97)
    return RL2Config(
        episodes=n, num_envs=256 if n <= 25 else 128, iterations=60, network=network, ppo=ppo
    )


def start_row(row: Row) -> Row | None:
    """Return the shorter row whose weights RL² starts with in `row`, if any."""
    if row.k is not None:
        return replace(row, n=100) if row.n > 100 else None
    shorter = [n for n in (10, 25, 50, 75) if n < row.n]
    return replace(row, n=shorter[-1]) if shorter else None


def rl2_run(row: Row, preset: PresetName, seed: int, device: str = "cpu") -> RunConfig:
    """Return one training of RL² for the tables."""
    before = start_row(row)
    start = None if before is None else rl2_run(before, preset, seed, device).origin()
    return RunConfig("rl2", rl2_config(row, preset), row.id, row.arguments, seed, device, start)
