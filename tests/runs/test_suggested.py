from dataclasses import replace
from functools import lru_cache

import gymnasium as gym
import pytest

import metarl
from metarl.core.budget import Episodes, max_steps
from metarl.core.registry import DISTRIBUTIONS, SUPERVISED, make
from metarl.envs.worker_memory import available_bytes
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.registry import LEARNERS, SUPERVISED_LEARNERS
from metarl.learners.transfer.joint_rainbow import JointRainbowConfig
from metarl.runs.footprint import BASE, Footprint, check_it_fits, footprint
from metarl.runs.suggested import (
    DEFAULT_FAMILIES,
    KIND_OF,
    RULES,
    default_family,
    suggested_config,
    suggested_num_tasks,
)
from tests.playable import playable_ids

GB = 2**30
OWN = sorted({*LEARNERS, *SUPERVISED_LEARNERS})
IMAGES = ("Airstriker-v0", "AtariFlavours-v0", "CoinRun-v0", "VisualMaze-v0")
LONG_TO_MAKE = ("MetaWorldML10-v0", "MetaWorldML45-v0")  # and like MetaWorldML1-v0 else
PLAYED = [id for id in playable_ids() if id in DISTRIBUTIONS and id not in LONG_TO_MAKE]
SIZED = [
    (learner, id)
    for id in PLAYED
    for learner in ("joint-ppo", "maml-rl", "mlsh", "rl2")
    if learner in ("joint-ppo", "rl2") or id not in IMAGES
]
made_once = lru_cache(make)


def test_every_learner_has_a_family_of_its_own_and_a_rule():
    assert set(OWN) <= set(DEFAULT_FAMILIES)
    assert set(OWN) <= set(RULES)
    for learner in OWN:
        family = default_family(learner)
        assert suggested_config(learner, make(family.id, **family.arguments)) is not None


def test_families_are_known_by_their_ids():
    assert set(KIND_OF) <= {*DISTRIBUTIONS, *SUPERVISED}


@pytest.mark.parametrize(("learner", "family"), SIZED, ids=["-on-".join(pair) for pair in SIZED])
def test_two_gigabytes_are_enough(learner, family):
    distribution = made_once(family)
    expected = footprint(learner, suggested_config(learner, distribution), distribution)
    assert expected.bytes < 2 * GB


def test_a_long_horizon_gets_fewer_rows():
    usual, long = (
        suggested_config("rl2", make("GridMaze-v0", horizon=horizon)) for horizon in (250, 2500)
    )
    assert long.num_envs * long.episodes <= usual.num_envs * usual.episodes / 8
    usual, long = (
        suggested_config("maml-rl", make("PointNavigation-v0", horizon=horizon))
        for horizon in (100, 2000)
    )
    assert long.tasks * long.adaptation.episodes <= usual.tasks * usual.adaptation.episodes / 10


def test_what_a_user_brings_has_settings_by_its_shape():
    class Walk(gym.Env):
        observation_space = gym.spaces.Box(-1, 1, (3,))
        action_space = gym.spaces.Discrete(2)

    own = metarl.GymnasiumDistribution(
        "Walk-v0", lambda task: Walk(), {"train": [1], "test": [2]}, horizon=30
    )
    config = suggested_config("rl2", own)
    assert config.num_envs * max_steps(Episodes(config.episodes), own) <= 4000


def test_the_python_defaults_stay_as_they_are():
    bandit = make("BernoulliBandit-v0")
    assert metarl.make_learner("rl2", bandit).config == RL2Config()
    assert metarl.suggested_config("rl2", "BernoulliBandit-v0") != RL2Config()


def test_learners_that_dont_suit_are_refused():
    with pytest.raises(ValueError, match="plays episodes"):
        suggested_config("rl2", make("SineRegression-v0"))
    with pytest.raises(ValueError, match="no learner"):
        suggested_config("rl3", make("BernoulliBandit-v0"))


def test_fewer_tasks_are_scored_where_each_takes_long():
    assert suggested_num_tasks(make("BernoulliBandit-v0"), 10) == 10_000
    assert suggested_num_tasks(make("GridMaze-v0"), 500) == 4_000
    assert suggested_num_tasks(make("BernoulliBandit-v0"), 10, 100) == 100


def test_what_wont_fit_is_refused_with_what_would():
    distribution = make("GridMaze-v0")
    config = replace(suggested_config("rl2", distribution), num_envs=1 << 24)
    with pytest.raises(
        ValueError,
        match=r"rl2 on GridMaze-v0 needs about [\d.,]+ GB .* give --num-envs (\d+) or less",
    ) as caught:
        check_it_fits(footprint("rl2", config, distribution), "rl2 on GridMaze-v0")
    fitting = int(str(caught.value).split("--num-envs ")[1].split()[0])
    assert (
        footprint("rl2", replace(config, num_envs=fitting), distribution).bytes <= available_bytes()
    )


@pytest.mark.parametrize("value", [1, 64])
def test_no_smaller_size_is_advised_where_none_would_fit(monkeypatch, value):
    monkeypatch.setattr("metarl.runs.footprint.available_bytes", lambda: BASE // 2)
    with pytest.raises(ValueError, match="even --num-envs 1 won't fit"):
        check_it_fits(Footprint(value, 10, 2 * BASE, "--num-envs", value), "rl2 on GridMaze-v0")


def test_a_replay_is_counted_and_a_learner_of_ones_own_isnt():
    frames = make("VisualMaze-v0")
    small = footprint("joint-rainbow", suggested_config("joint-rainbow", frames), frames)
    large = footprint("joint-rainbow", JointRainbowConfig(), frames)
    assert BASE < small.bytes < large.bytes
    assert large.bytes > 100_000 * 3600
    assert footprint("somebodys", None, frames) is None


def test_what_is_said_before_training():
    sines = make("SineRegression-v0")
    said = footprint("maml", suggested_config("maml", sines), sines).sentence(3000)
    assert said.startswith("150 gradients of tasks an iteration, 3,000 iterations, about ")
    bandit = make("BernoulliBandit-v0")
    said = footprint("rl2", suggested_config("rl2", bandit), bandit).sentence(150)
    assert said.startswith(
        "1,024 rows, up to 10,240 environment steps an iteration, 150 iterations, about "
    )
    assert said.endswith("the time is told after the first iteration.")
