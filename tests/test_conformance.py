"""Every registered distribution, agent and learner passes every generated check: one test id for
each pair.

A new family, agent or learner is checked here as soon as it is registered; what its checks need is
a small instance to play.
"""

from dataclasses import replace
from functools import partial

import pytest

from metarl.agents.registry import AGENTS, agent_class, make_agent
from metarl.checks import (
    parametrize_agent_checks,
    parametrize_distribution_checks,
    parametrize_learner_checks,
)
from metarl.core.budget import Episodes, Steps
from metarl.core.registry import DISTRIBUTIONS, make
from metarl.core.reveal import reveal
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.learners.hierarchy.mlsh import MLSHConfig
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.policy_initialisation import ClippedPPO
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.optimizers import Adam
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.policy_gradient.stacked_ppo import StackedPPO
from metarl.learners.policy_gradient.trust_region import TRPO
from metarl.learners.registry import LEARNERS, learner_class, make_learner
from metarl.learners.transfer.joint_ppo import JointPPOConfig
from metarl.learners.transfer.joint_rainbow import JointRainbowConfig
from metarl.learners.transfer.rainbow import RainbowConfig
from metarl.learners.transfer.replay import ReplayConfig
from metarl.networks.perceptron import PerceptronConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.networks.rainbow_network import RainbowNetworkConfig
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.control.point_navigation import PointNavigation
from metarl.tasks.games.coin_run import CoinRun
from metarl.tasks.mazes.four_rooms import FourRooms
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.grid_navi import GridNavi
from metarl.tasks.mazes.visual_maze import VisualMaze
from metarl.tasks.mdps.identity import Identity
from metarl.tasks.mdps.random_mdp import RandomMDP
from metarl.tasks.metaworld.meta_world import MetaWorldML1
from tests.checks.line import Line
from tests.playable import different_ids

SETTINGS = {  # beside the defaults
    "AntMaze-v0": {"nine": {"all_nine": True, "side": 3.0, "stand_every": 0, "horizon": 4}},
    "AntTwoWalk-v0": {"distance": {"reward": "distance", "shows_place": True, "horizon": 5}},
    "CartPole-v0": {
        "usual": {"low": 1, "high": 1, "friction": 0, "reversals": False, "horizon": 30}
    },
    "CoinRun-v0": {"easy": {"levels": 3, "difficulty": "easy", "horizon": 20}},
    "FourRooms-v0": {
        "room": {"goals": "room", "horizon": 20},
        "upper-room": {"goals": "upper-room", "horizon": 20},
        "four": {"goals": "four", "horizon": 20},
        "released": {"goals": "released", "horizon": 20},
    },
    "GaussianBandit-v0": {"one-arm": {"arms": 1}},
    "Identity-v0": {"terminates": {"terminates": True}},
    "GridMaze-v0": {
        "loops": {"size": 3, "loops": 0.5, "algorithm": "kruskal", "window": 2, "train_mazes": 0}
    },
    "RandomMDP-v0": {
        "small": {"states": 3, "actions": 2, "horizon": 3, "transition_concentration": 0.3}
    },
}
SHORT = {  # in place of the defaults, where a real emulator plays, or a robot for minutes
    "Airstriker-v0": {"horizon": 12},
    "AntDirection-0to360-h200-v0": {"horizon": 12},
    "AntDirection-2way-h200-v0": {"horizon": 12},
    "AntGoal-radius3-h200-v0": {"horizon": 12},
    "AntMaze-v0": {"stand_every": 2, "horizon": 4},
    "AntObstacle-v0": {"stand_every": 2, "horizon": 4},
    "AntTwoWalk-v0": {"horizon": 5},
    "HalfCheetahVelocity-0to2-h200-v0": {"horizon": 12},
    "HalfCheetahVelocity-0to3-h200-v0": {"horizon": 12},
    "MetaWorldML1-v0": {"horizon": 12},
    "MetaWorldML45-v0": {"horizon": 12},
    "VisualMaze-v0": {"horizon": 20},
}
FAMILIES = {
    id: partial(make, id, **SHORT.get(id, {})) for id in different_ids() if id in DISTRIBUTIONS
}
FAMILIES |= {
    f"{id}-{name}": partial(make, id, **arguments)
    for id, named in SETTINGS.items()
    for name, arguments in named.items()
}
GOALS = {"train": [-3.0, -2.0, 2.0, 3.0], "test": [-2.5, 2.5]}
FAMILIES["gymnasium"] = partial(GymnasiumDistribution, "Line-v0", Line, GOALS, horizon=8)

PLAYED = {  # what agents are checked on: small, since they play a thousand tasks
    "bernoulli": (BernoulliBandit(3), Episodes(6, 0)),
    "gaussian": (GaussianBandit(3), Episodes(6, 0)),
    "mdp": (RandomMDP(states=3, actions=2, horizon=3), Episodes(3, 0)),
    "mdp-cut": (RandomMDP(states=3, actions=2, horizon=3), Steps(8)),
    "told-bandit": (reveal(BernoulliBandit(3)), Episodes(6, 0)),
    "told-mdp": (reveal(RandomMDP(states=3, actions=2, horizon=3)), Episodes(3, 0)),
    "maze": (GridMaze(3, horizon=20), Episodes(2, 0)),
    "told-maze": (reveal(GridMaze(3, horizon=20)), Episodes(2, 0)),
    "told-views": (reveal(VisualMaze(2, horizon=8)), Episodes(2, 0)),
    "told-grid": (reveal(GridNavi(3, horizon=6)), Episodes(2, 0)),
    "told-plane": (reveal(PointNavigation(horizon=6)), Episodes(2, 0)),
    "told-goals": (reveal(MovingBandits(horizon=6)), Episodes(2, 0)),
    "told-rooms": (reveal(FourRooms(horizon=6)), Episodes(2, 0)),
    "goals": (MovingBandits(horizon=6), Episodes(2, 0)),
    "identity": (Identity(3, 4), Episodes(2, 0)),
    "gymnasium": (FAMILIES["gymnasium"](), Episodes(2, 0)),
    "levels": (CoinRun(levels=2, test_levels=2, horizon=4), Episodes(2, 0)),
    "arm": (MetaWorldML1(horizon=3, goal_visible=True), Episodes(2, 0)),
}
AGENT_CASES = {
    f"{agent}-{name}": (partial(make_agent, agent), distribution, budget)
    for agent in AGENTS
    for name, (distribution, budget) in PLAYED.items()
    if agent_class(agent).supports(distribution)
}

PPO = PPOConfig(minibatches=2, epochs=2, lr=1e-2)
SMALL = {  # a learner that isn't named here is checked with its default settings
    "rl2": {
        core: RL2Config(
            episodes=2,
            num_envs=64,
            iterations=128,
            act="sample",
            network=NetworkConfig(core=core, hidden_size=16),
            ppo=PPO,
        )
        for core in ("gru", "lstm", "attention", "none")
    },
}
SMALL["joint-ppo"] = {
    assignment: JointPPOConfig(
        num_envs=32, steps=10, iterations=60, assignment=assignment, ppo=PPO, fine_tuning_steps=64
    )
    for assignment in ("draw", "fixed")
}
RAINBOW = RainbowConfig(
    start=256,
    update_every=8,
    target_every=256,
    lr=2e-3,
    discount=0.8,
    network=RainbowNetworkConfig(layers=(32,), hidden=32, v_min=0.0, v_max=5.0),
    replay=ReplayConfig(capacity=4096),
)
SMALL["joint-rainbow"] = {
    "small": JointRainbowConfig(16, 16, 128, rainbow=RAINBOW, fine_tuning=RAINBOW)
}
OUTER = {"trpo": TRPO(max_kl=0.05), "ppo": ClippedPPO(epochs=4, adam=Adam(1e-2))}
for learner in ("fomaml-rl", "joint-rl", "learn2learn-rl", "maml-rl", "reptile-rl"):
    SMALL[learner] = {
        name: (
            learner_class(learner).Config(
                tasks=8,
                adaptation=Adaptation(episodes=8, inner_lr=0.5),
                outer=outer,
                network=PerceptronConfig(hidden=(16,)),
            )
        )
        for name, outer in OUTER.items()
    }
OFTEN = StackedPPO(lr=1e-2, epochs=4, minibatches=2)
HIERARCHY = MLSHConfig(
    option_length=2,
    warmup_updates=2,
    steps=64,
    tasks=6,
    network=PerceptronConfig(hidden=(16,)),
    master=OFTEN,
    sub_policy=OFTEN,
)
SMALL["mlsh"] = {
    "staggered": HIERARCHY,
    "at-once": replace(HIERARCHY, staggered=False, random_option=0.1),
}
IDENTITY = Identity(3, 4)
BUDGET = Episodes(2, 0)


def builder(learner, config, num_seeds=1):
    """make_learner(distribution, seed), of several seeds at once if wanted."""
    return lambda tasks, seed: make_learner(
        learner,
        tasks,
        config,
        seed if num_seeds == 1 else tuple(range(seed, seed + 10 * num_seeds, 10)),
    )


LEARNER_CASES = {
    f"{learner}-{name}": (builder(learner, config), IDENTITY, BUDGET)
    for learner in LEARNERS
    for name, config in SMALL.get(learner, {"default": None}).items()
}
LEARNER_CASES["rl2-two-seeds"] = (
    builder("rl2", SMALL["rl2"]["gru"], num_seeds=2),
    BernoulliBandit(3),
    BUDGET,
)


@parametrize_distribution_checks(FAMILIES)
def test_distribution(check):
    check()


@parametrize_agent_checks(AGENT_CASES)
def test_agent(check):
    check()


@parametrize_learner_checks(LEARNER_CASES)
def test_learner(check):
    check()


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_has_something_to_play(agent):
    assert any(name.startswith(f"{agent}-") for name in AGENT_CASES), (
        f"add a small distribution that {agent} can play to PLAYED"
    )
