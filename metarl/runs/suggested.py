"""Suggested settings: what `metarl train` takes where no flag says otherwise.

A learner's rule makes a config from what the distribution is like: how long its episodes are, what
they show, whether a row is an environment of its own. KINDS and SETTINGS then say what is otherwise
for known families; they are the one place where learners and families are named together. All are
chosen so that a training shows its first figures within about 20 seconds, stays below 2 GB, and is
over in minutes on two cores, or stands there as far as it got: emulators and robots need longer
than that to learn much.
"""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np

from metarl.core.registry import make
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.policy_initialisation import ClippedPPO
from metarl.learners.optimizers import SGD, Adam
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.policy_gradient.stacked_ppo import StackedPPO
from metarl.learners.policy_gradient.trust_region import TRPO
from metarl.learners.registry import check_fits, learner_class
from metarl.learners.transfer.rainbow import RainbowConfig
from metarl.learners.transfer.replay import ReplayConfig
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.inputs import is_image
from metarl.networks.perceptron import PerceptronConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.networks.rainbow_network import RainbowNetworkConfig

__all__ = [
    "DEFAULT_FAMILIES",
    "DefaultFamily",
    "default_family",
    "kind_of",
    "suggested_config",
    "suggested_num_tasks",
]


class DefaultFamily(NamedTuple):
    """What a learner is trained on where nothing is named.

    Attributes:
        id: of the distribution. arguments: what it is made with.
    """

    id: str
    arguments: dict[str, Any]


BANDIT = DefaultFamily("BernoulliBandit-v0", {})
PLANE = DefaultFamily("PointNavigation-v0", {})
# So that a policy without memory can balance all
POLE = DefaultFamily("CartPole-v0", {"reversals": False})
SINES = DefaultFamily("SineRegression-v0", {})
DEFAULT_FAMILIES: dict[str, DefaultFamily] = {
    "fomaml": SINES,
    "fomaml-rl": PLANE,
    "joint-ppo": POLE,
    "joint-rainbow": POLE,
    "joint-rl": POLE,
    "learn2learn": SINES,
    "learn2learn-rl": PLANE,
    "maml": SINES,
    "maml-rl": PLANE,
    "meta-sgd": SINES,
    "mlsh": DefaultFamily("MovingBandits-v0", {}),
    "reptile": DefaultFamily("SineRegression-v0", {"points": 50}),
    "reptile-rl": PLANE,
    "rl2": BANDIT,
}


def default_family(learner: str) -> DefaultFamily:
    """Return what `learner` is trained on where nothing is named.

    Bandits for one that isn't ours.
    """
    return DEFAULT_FAMILIES.get(learner, BANDIT)


KINDS: dict[str, tuple[str, ...]] = {  # families that the same settings suit
    "ant course": ("AntMaze-v0", "AntObstacle-v0", "AntTwoWalk-v0"),
    "arm": ("MetaWorldML1-v0", "MetaWorldML10-v0", "MetaWorldML45-v0"),
    "bandit": ("BernoulliBandit-v0", "GaussianBandit-v0"),
    "four rooms": ("FourRooms-v0",),
    "glyphs": ("GlyphClassification-v0",),
    "grid": ("GridNavi-v0",),
    "levels": ("CoinRun-v0",),
    "maze": ("GridMaze-v0",),
    "mdp": ("RandomMDP-v0",),
    "moving bandits": ("MovingBandits-v0",),
    "pendulum": ("Pendulum-v0",),
    "plane": ("PointNavigation-v0",),
    "pole": ("CartPole-v0",),
    "robot": (
        "AntDirection-0to360-h200-v0",
        "AntDirection-2way-h200-v0",
        "AntGoal-radius3-h200-v0",
        "AntPhysics-v0",
        "HalfCheetahDirection-2way-h200-v0",
        "HalfCheetahPhysics-v0",
        "HalfCheetahVelocity-0to2-h200-v0",
        "HalfCheetahVelocity-0to3-h200-v0",
        "HopperPhysics-v0",
        "Walker2dPhysics-v0",
    ),
    "stacked frames": ("Airstriker-v0", "AtariFlavours-v0", "Sonic-v0"),
    "swing": ("Acrobot-v0", "MountainCar-v0"),
    "visual maze": ("VisualMaze-v0",),
}
KIND_OF = {id: kind for kind, ids in KINDS.items() for id in ids}

# RL² and the like, of single episodes, on robots: no entropy bonus, which would widen their
# Gaussians.
ROBOT_PPO = PPOConfig(discount=0.99, gae_lambda=0.95, lr=1e-3, entropy_coef=0.0)
MAZE_PPO = PPOConfig(discount=0.99, gae_lambda=0.95, lr=2e-3, entropy_coef=0.02, entropy_until=0.8)
CONTROL_PPO = PPOConfig(discount=0.99, gae_lambda=0.95, lr=3e-3)
RL2_SETTINGS: dict[str, dict[str, Any]] = {
    "bandit": {"num_envs": 1024, "iterations": 150, "ppo": PPOConfig()},
    "mdp": {
        "episodes": 10,
        "num_envs": 256,
        "iterations": 100,
        "network": NetworkConfig("per_pair_memory", hidden_size=32),
        "ppo": PPOConfig(discount=0.998, gae_lambda=0.95, entropy_until=0.7),
    },
    "maze": {
        "num_envs": 64,
        "iterations": 140,
        "network": NetworkConfig("spatial_memory"),
        "ppo": MAZE_PPO,
    },
    "visual maze": {
        "num_envs": 32,
        "network": NetworkConfig(hidden_size=128),
        "ppo": replace(MAZE_PPO, lr=1e-3),
    },
    "grid": {
        "episodes": 4,
        "num_envs": 256,
        "iterations": 200,
        "ppo": PPOConfig(discount=0.97, lr=3e-3, entropy_coef=0.05, entropy_until=0.8),
    },
    "pole": {"num_envs": 128, "ppo": CONTROL_PPO},
    "swing": {"num_envs": 128, "ppo": CONTROL_PPO},
    "pendulum": {"num_envs": 128, "ppo": CONTROL_PPO},
    "plane": {
        "episodes": 4,
        "num_envs": 128,
        "ppo": PPOConfig(gae_lambda=0.95, lr=2e-3, entropy_coef=0.0),
    },
    "moving bandits": {
        "episodes": 4,
        "num_envs": 256,
        "iterations": 100,
        "ppo": PPOConfig(gae_lambda=0.95, lr=2e-3),
    },
    "robot": {"num_envs": 64, "iterations": 200, "ppo": ROBOT_PPO},
    "ant course": {"num_envs": 16, "iterations": 300, "ppo": ROBOT_PPO},
    "arm": {"num_envs": 4, "iterations": 100, "ppo": replace(ROBOT_PPO, lr=3e-3, minibatches=2)},
    "levels": {"network": NetworkConfig(hidden_size=128, encoder="nature")},
    "stacked frames": {"network": NetworkConfig(hidden_size=128, encoder="nature")},
}
NAVIGATING: dict[str, Any] = {"iterations": 40, "tasks": 20, "adaptation": Adaptation(episodes=20)}
RUNNING: dict[str, Any] = {
    "iterations": 150,
    "tasks": 10,
    "adaptation": Adaptation(episodes=10),
    "outer": TRPO(max_kl=0.02),
}
CREEPING = replace(RUNNING["adaptation"], episodes=2)
POLICY_SETTINGS: dict[str, dict[str, Any]] = {
    "plane": NAVIGATING,
    "robot": RUNNING,
    "ant course": RUNNING | {"tasks": 4, "adaptation": CREEPING},
    "arm": RUNNING | {"tasks": 2, "adaptation": CREEPING},
}
WALKING = StackedPPO(lr=1e-3, minibatches=64, gae_lambda=0.95)
MLSH_SETTINGS: dict[str, dict[str, Any]] = {
    "moving bandits": {"option_length": 10},
    "four rooms": {
        "iterations": 60,
        "sub_policies": 4,
        "option_length": 50,
        "warmup_updates": 6,
        "joint": 6,
        "tasks": 24,
        "sub_policy": StackedPPO(lr=3e-3, minibatches=15, entropy_coef=0.3),
    },
    "robot": {"tasks": 10, "steps": 1000, "log_std": -1.0, "sub_policy": WALKING},
    "ant course": {"tasks": 8, "random_option": 0.2, "log_std": -1.0, "sub_policy": WALKING},
    "arm": {"tasks": 4, "steps": 500, "log_std": -1.0, "sub_policy": WALKING},
}
JOINT_PPO = PPOConfig(gae_lambda=0.95, minibatches=8, lr=2.5e-3, lr_end=0.0, value_coef=0.5)
JOINT_ROBOT_PPO = replace(JOINT_PPO, lr=1e-3, entropy_coef=0.0)
JOINT_FRAMES_PPO = replace(JOINT_PPO, epochs=3, lr=5e-4, entropy_end=0.01)
JOINT_PPO_SETTINGS: dict[str, dict[str, Any]] = {
    "robot": {"num_envs": 16, "iterations": 300, "ppo": JOINT_ROBOT_PPO},
    "ant course": {"num_envs": 16, "iterations": 300, "ppo": JOINT_ROBOT_PPO},
    "arm": {"ppo": JOINT_ROBOT_PPO},
    "levels": {"reward_scale": 0.1, "ppo": replace(JOINT_FRAMES_PPO, discount=0.995, lr=1e-3)},
    "stacked frames": {"ppo": JOINT_FRAMES_PPO},
    "visual maze": {"num_envs": 16, "ppo": JOINT_FRAMES_PPO},
}
# Discounted returns of scaled and clipped rewards lie within
RAINBOW_VALUES: dict[str, tuple[float, float]] = {
    "bandit": (-3.0, 3.0),
    "maze": (-2.5, 1.0),
    "visual maze": (-2.5, 1.0),
    "pole": (0.0, 100.0),
    "swing": (-100.0, 0.0),
    "levels": (-1.0, 1.0),
}
RAINBOW_SCALES = {"levels": 0.1}
IMAGES = ImageNetworkConfig(filters=32)
EXAMPLES_SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "maml": {"glyphs": {"iterations": 500, "tasks": 16, "inner_steps": 1, "inner_lr": 0.4}},
    "fomaml": {"glyphs": {"iterations": 800, "tasks": 16, "inner_steps": 1, "inner": SGD(0.4)}},
    "meta-sgd": {"glyphs": {"iterations": 500, "tasks": 16, "inner_lr": 0.4}},
    "learn2learn": {"glyphs": {"iterations": 150, "tasks": 16, "inner_steps": 1, "inner_lr": 0.4}},
    "reptile": {"glyphs": {"iterations": 1500, "tasks": 5, "inner": Adam(4e-3, beta1=0.0)}},
}


def suggested_config(learner: str, distribution: Any) -> Any:
    """Return settings of `learner` that suit `distribution`: what `metarl train` takes where no
    flag says otherwise.

    `make_learner(name, distribution)` without a config keeps to the learner's own defaults, which
    know nothing of the distribution; give it this one's result instead.

    Args:
        learner: its name, such as "rl2".
        distribution: a `TaskDistribution`, a supervised one, or an id of either.

    Returns:
        An instance of the learner's `Config`; of a learner that isn't ours, its default.

    Raises:
        ValueError: an unknown learner, or one that can't learn from such a distribution.
    """
    kind = learner_class(learner)
    if isinstance(distribution, str):
        distribution = make(distribution)
    check_fits(learner, distribution)
    rule = RULES.get(learner)
    return kind.Config() if rule is None else rule(learner, kind.Config, distribution)


def kind_of(distribution: Any) -> str:
    """Return the kind of family that settings go by, whatever the horizon in its id and whether or
    not tasks are revealed.

    It is "other" of a user's own.
    """
    family = re.sub(r"-h\d+-v", "-h200-v", distribution.id.removesuffix("/revealed"))
    return KIND_OF.get(family, "other")


def suggested_num_tasks(distribution: TaskDistribution, steps: int, default: int = 10_000) -> int:
    """Return how many held-out tasks are scored within about a minute.

    Args:
        distribution: what is played. steps: the most that a task takes. default: no more than
            these.
    """
    rate = {"robot": 300_000, "ant course": 150_000}.get(kind_of(distribution), 2_000_000)
    if distribution.env_per_row or is_image(distribution.observation_space):
        rate = 20_000
    few = max(4, rate // steps)
    exponent = 10 ** (len(str(few)) - 1)
    return min(default, few // exponent * exponent)


def _with(config: Any, settings: dict[str, Any]) -> Any:
    """Return `config` with those of the `settings` that it has fields for."""
    known = {field.name for field in fields(config)}
    return replace(config, **{name: value for name, value in settings.items() if name in known})


def _power_of_two(most: float) -> int:
    """Return the greatest power of two that is at most `most`, and at least 1."""
    return 1 << max(0, int(most).bit_length() - 1)


def _steps_at_once(distribution: TaskDistribution) -> int:
    """Return how many environment steps an iteration may take, for its first figures to come within
    seconds.
    """
    if distribution.env_per_row:
        return 4_000
    return 16_000 if is_image(distribution.observation_space) else 51_200


def _rl2(learner: str, config: type[Any], distribution: TaskDistribution) -> Any:
    """Meta-episodes of 100 steps or two episodes; one, where it alone is long."""
    episodes = (
        1 if distribution.horizon >= 1000 else max(2, min(10, round(100 / distribution.horizon)))
    )
    images = is_image(distribution.observation_space)
    settings: dict[str, Any] = {
        "episodes": episodes,
        "iterations": 300 if images or distribution.env_per_row else 150,
        "network": NetworkConfig(hidden_size=128 if images else 64),
        "ppo": replace(CONTROL_PPO, lr=1e-3 if images else 2e-3),
    }
    settings |= RL2_SETTINGS.get(kind_of(distribution), {})
    room = _power_of_two(
        _steps_at_once(distribution) / (settings["episodes"] * distribution.horizon)
    )
    settings["num_envs"] = min(settings.get("num_envs", 1024), room)
    ppo = settings["ppo"]
    settings["ppo"] = replace(ppo, minibatches=min(ppo.minibatches, settings["num_envs"]))
    return _with(config(), settings)


def _policy_initialisation(learner: str, config: type[Any], distribution: TaskDistribution) -> Any:
    """As many tasks and episodes as an iteration has room for, which plays each task once before
    and once after adapting.
    """
    room = max(4, _steps_at_once(distribution) // (2 * distribution.horizon))
    episodes = max(2, min(20, int(room**0.5)))
    settings: dict[str, Any] = {
        "iterations": 100,
        "tasks": max(2, min(20, room // episodes)),
        "adaptation": Adaptation(episodes=episodes),
    }
    settings |= POLICY_SETTINGS.get(kind_of(distribution), {})
    # Episodes before adapting, and as many after
    most = _steps_at_once(distribution) // distribution.horizon
    episodes = max(2, min(settings["adaptation"].episodes, most // settings["tasks"]))
    settings["tasks"] = max(2, min(settings["tasks"], most // episodes))
    settings["adaptation"] = replace(settings["adaptation"], episodes=episodes)
    if learner == "reptile-rl":
        settings["inner_steps"] = 1 if distribution.env_per_row else 3
        settings["outer"] = ClippedPPO()
    if learner == "joint-rl":
        settings["iterations"] = 2 * settings["iterations"]
    return _with(config(), settings)


def _mlsh(learner: str, config: type[Any], distribution: TaskDistribution) -> Any:
    """Five choices an episode, or about as many as divide the horizon, and 40 episodes between
    updates or 2,000 steps.
    """
    horizon = distribution.horizon
    divisors = [every for every in range(1, horizon + 1) if horizon % every == 0]
    steps = max(horizon, min(2000, 40 * horizon, _steps_at_once(distribution) // 4))
    settings: dict[str, Any] = {
        "iterations": 150,
        "option_length": min(divisors, key=lambda every: abs(every - horizon / 5)),
        "steps": steps,
        "tasks": max(2, min(20, _steps_at_once(distribution) // steps)),
    }
    settings |= MLSH_SETTINGS.get(kind_of(distribution), {})
    if horizon % settings["option_length"]:  # a user's own horizon
        settings["option_length"] = min(
            divisors, key=lambda every: abs(every - settings["option_length"])
        )
    most = _steps_at_once(distribution) // max(horizon, settings["steps"])
    settings["tasks"] = max(2, min(settings["tasks"], most))
    return _with(config(), settings)


def _joint_ppo(learner: str, config: type[Any], distribution: TaskDistribution) -> Any:
    """Few rows where each is an environment of its own, and the same update at test without an end."""
    few = distribution.env_per_row
    settings: dict[str, Any] = {
        "num_envs": 8 if few else 32,
        "steps": 128,
        "iterations": 250,
        "ppo": JOINT_PPO,
    }
    settings |= JOINT_PPO_SETTINGS.get(kind_of(distribution), {})
    ppo = settings["ppo"]
    settings["fine_tuning"] = replace(ppo, lr=ppo.lr / 4, lr_end=ppo.lr / 4)
    return _with(config(), settings)


REPLAY_BYTES = 256 * 2**20  # of all observations that a replay holds
FIRST_STEPS = 1000  # in a replay before updates begin


def _joint_rainbow(learner: str, config: type[Any], distribution: TaskDistribution) -> Any:
    """Return a replay that memory has room for, and an update for every 8 steps, which take about
    as long.
    """
    kind = kind_of(distribution)
    space = distribution.observation_space
    images = is_image(space)
    stack = 4 if kind == "stacked frames" else 1
    room = REPLAY_BYTES * stack // max(1, observation_bytes(distribution))
    low, high = RAINBOW_VALUES.get(kind, (-10.0, 10.0))
    rainbow = RainbowConfig(
        n_step=5,
        batch=64,
        start=FIRST_STEPS,
        update_every=8,
        target_every=500,
        lr=5e-4 if images else 1e-3,
        adam_epsilon=1e-6 if images else 1.5e-4,
        epsilon_steps=5000,
        reward_scale=RAINBOW_SCALES.get(kind, 1.0),
        network=RainbowNetworkConfig(
            layers=(64,), hidden=0 if images else 64, v_min=low, v_max=high
        ),
        replay=ReplayConfig(
            capacity=max(4 * FIRST_STEPS, min(50_000, room)), stack=stack, beta_steps=0
        ),
    )
    few = distribution.env_per_row
    return config(8 if few else 16, 64, 60, rainbow=rainbow, fine_tuning=rainbow)


def observation_bytes(distribution: TaskDistribution) -> int:
    """Return the bytes of one observation as tensors hold it."""
    space = distribution.observation_space
    each = (
        1
        if space.dtype == np.uint8 or space.dtype == np.int8
        else 4
        if space.dtype == np.float32
        else 8
    )
    return int(np.prod(space.shape or (), dtype=int)) * each


def _examples(learner: str, config: type[Any], distribution: Any) -> Any:
    """Return a network for the inputs' shape, and inner steps on no more examples than there are."""
    images = len(distribution.input_shape) == 3
    settings: dict[str, Any] = {"network": IMAGES if images else PerceptronConfig()}
    if learner == "learn2learn":
        settings["iterations"] = 1000
    settings |= EXAMPLES_SETTINGS[learner].get("glyphs" if images else kind_of(distribution), {})
    suggested = _with(config(), settings)
    if suggested.batch is None:
        return suggested
    task = distribution.sample(1, "train", 0)
    shown = distribution.support(task, torch_generator(0, "suggested")).inputs.shape[1]
    return replace(suggested, batch=min(suggested.batch, shown))


RULES: dict[str, Callable[[str, type[Any], Any], Any]] = {
    "rl2": _rl2,
    "mlsh": _mlsh,
    "joint-ppo": _joint_ppo,
    "joint-rainbow": _joint_rainbow,
    **dict.fromkeys(
        ("fomaml-rl", "joint-rl", "learn2learn-rl", "maml-rl", "reptile-rl"), _policy_initialisation
    ),
    **dict.fromkeys(EXAMPLES_SETTINGS, _examples),
}
