"""Every registered learner on observations and actions of every kind and size.

It trains and its agent plays, or it says why not.
"""

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.evaluation.protocol import evaluate
from metarl.learners.policy_gradient.advantages import fit_baseline, fit_by_features, fit_by_steps
from metarl.learners.registry import make_learner
from metarl.networks.encoders import fitting_encoder
from tests.learners.tiny_configs import EPISODE_LEARNERS, shown, tiny_config

Box = gym.spaces.Box
Discrete = gym.spaces.Discrete
MultiBinary = gym.spaces.MultiBinary
MultiDiscrete = gym.spaces.MultiDiscrete


def images(*shape: int) -> gym.Space:
    return Box(0, 255, shape, np.uint8)


VECTORS = {
    "nothing to tell": Discrete(1),
    "none of them": Box(-1, 1, (0,)),
    "a number": Box(-1, 1, ()),
    "from 3 on": Discrete(4, start=3),
    "Meta-World": Box(-1, 1, (39,)),
    "humanoid": Box(-np.inf, np.inf, (376,)),
    "thousands": Box(-1, 1, (3000,)),
    "float64": Box(-1, 1, (36,), np.float64),
    "grid": Box(-np.inf, np.inf, (7, 9, 3)),
    "bits": MultiBinary(40),
    "bits in rows": MultiBinary((6, 7)),
    "digits": MultiDiscrete([3] * 36),
    "bytes": images(128),
    "grey": images(40, 40),
    "small image": images(7, 7, 3),
}
IMAGES = {
    "colour": images(20, 30, 3),
    "two channels": images(41, 37, 2),
    "four colour frames": images(36, 40, 12),
    "low": images(13, 80, 1),
    "board": images(19, 19, 17),
}
DOUBTFUL = {  # images that nobody can tell the layout of, or that aren't bytes
    **{f"{frames} frames": images(frames, 64, 64) for frames in (1, 2, 4, 8, 16, 40, 100)},
    "frames of a low screen": images(8, 40, 60),
    "frames of a high screen": images(4, 210, 160),
    "colour first": images(3, 84, 84),
    "colour frames": images(4, 64, 64, 3),
    "floats": Box(0, 1, (84, 84, 3)),
    "float frames": Box(0, 1, (4, 84, 84)),
}
HUGE = {
    "cells": Discrete(2**40),
    "digits that are numbers": MultiDiscrete([2**40, 2**62, 2**62]),
    "a long vector": Box(-1, 1, (2**21,)),
    "bits": MultiBinary(2**21),
}
pytestmark = pytest.mark.filterwarnings("error")  # nobody is warned of what is handled
READS_IMAGES = ("joint-ppo", "joint-rainbow", "rl2")


def trains(learner: str, family: Any, config: Any = None) -> None:
    """Two updates, and two episodes of the agent."""
    trained = make_learner(learner, family, tiny_config(learner) if config is None else config)
    for _ in range(2):
        trained.update()
    trained.close()
    evaluate(trained.agent(Episodes(2)), family, "test", 2, 0, Episodes(2))


@pytest.mark.parametrize("space", VECTORS.values(), ids=VECTORS)
@pytest.mark.parametrize("learner", EPISODE_LEARNERS)
def test_every_learner_reads_vectors_of_any_kind_and_length(learner, space):
    trains(learner, shown(space))


@pytest.mark.parametrize("space", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("learner", EPISODE_LEARNERS)
def test_every_learner_reads_images_by_an_encoder_or_names_who_does(learner, space):
    if learner in READS_IMAGES:
        trains(learner, shown(space))
        return
    with pytest.raises(
        ValueError, match=r"reads vectors; Shown-v0 shows images. Train rl2 or joint-ppo"
    ):
        make_learner(learner, shown(space), tiny_config(learner))


@pytest.mark.parametrize("space", DOUBTFUL.values(), ids=DOUBTFUL)
@pytest.mark.parametrize("learner", EPISODE_LEARNERS)
def test_no_learner_takes_images_of_another_layout_for_vectors_or_pictures(learner, space):
    with pytest.raises(ValueError, match="channels first|look like images|shows images"):
        make_learner(learner, shown(space), tiny_config(learner))


@pytest.mark.parametrize("frames", [1, 4, 8, 16])
def test_gymnasiums_own_frame_stacks_of_grey_and_colour_are_refused(frames):
    for space in (images(64, 64), images(64, 64, 3), images(48, 60)):
        stack = gym.wrappers.FrameStackObservation(
            shown(space).make_env(0), frames
        ).observation_space
        with pytest.raises(ValueError, match="channels first.*FrameStackObservation"):
            fitting_encoder("auto", stack, ("nature", "rl2"))
        assert fitting_encoder("none", stack) == "none"


@pytest.mark.parametrize("side", ["observations", "actions"])
@pytest.mark.parametrize("space", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize("learner", EPISODE_LEARNERS)
def test_huge_spaces_get_a_sentence_before_anything_is_allocated(learner, space, side):
    family = shown(space) if side == "observations" else shown(Discrete(3), space)
    with pytest.raises(
        ValueError,
        match=r"take [\d,]+ features.*room for 1,048,576|Rainbow chooses among Discrete actions",
    ):
        make_learner(learner, family, tiny_config(learner))


def test_huge_spaces_get_it_for_a_memory_for_each_pair_too():
    config = tiny_config("rl2")
    config = replace(config, network=replace(config.network, core="per_pair_memory"))
    with pytest.raises(ValueError, match="Pairs of observation and action .*room for"):
        make_learner("rl2", shown(Discrete(2**12), Discrete(2**12)), config)


@pytest.mark.parametrize(
    "actions",
    [
        Discrete(1),
        Discrete(3),
        MultiDiscrete([2, 3]),
        MultiBinary(3),
        Box(-1, 1, (2,)),
        Box(-2, 2, ()),
        Box(0, 1, (2, 2), np.float64),
    ],
    ids=str,
)
@pytest.mark.parametrize("learner", EPISODE_LEARNERS)
def test_every_learner_acts_in_every_kind_of_space(learner, actions):
    if learner == "joint-rainbow" and not isinstance(actions, Discrete):
        with pytest.raises(ValueError, match="Rainbow chooses among Discrete actions"):
            make_learner(learner, shown(Discrete(3), actions), tiny_config(learner))
        return
    trains(learner, shown(Discrete(3), actions))


@pytest.mark.parametrize("learner", EPISODE_LEARNERS)
def test_one_step_one_episode_one_task(learner):
    config = tiny_config(learner)
    if learner in READS_IMAGES:
        config = replace(config, num_envs=1)
    else:
        config = replace(config, tasks=1)
    trains(learner, shown(Discrete(1), Discrete(2), length=1), config)
    trains(learner, make("BernoulliBandit-v0", arms=3), config)


def test_the_baselines_fit_of_a_long_observation_grows_with_the_steps_rather_than_the_numbers():
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(3, 40, 300, generator=rng)
    returns = torch.randn(3, 40, generator=rng)
    valid = torch.rand(3, 40, generator=rng) < 0.8
    wanted = fit_by_features(features, returns, valid)
    torch.testing.assert_close(fit_by_steps(features, returns, valid), wanted, rtol=1e-7, atol=1e-9)
    assert torch.equal(
        fit_baseline(features, returns, valid), fit_by_steps(features, returns, valid)
    )
    assert torch.equal(
        fit_baseline(features[:, :, :50], returns, valid),
        fit_by_features(features[:, :, :50], returns, valid),
    )
