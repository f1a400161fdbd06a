"""Dictionaries and tuples of observations become vectors, or there is a sentence that says how."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import metarl
from metarl.checks import check_distribution
from metarl.core.budget import Episodes
from metarl.core.errors import PlugInError
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.flattened import MOST_NUMBERS
from metarl.envs.meta_episode import MetaEpisodeEnv
from tests.tasks.nested_walk import NestedWalk
from tests.tasks.noisy_walk import NoisyWalk
from tests.tasks.spy_env import generator

TASKS = {"train": [0.0, 0.5, 1.0], "test": [0.25, 0.75]}
IMAGE = gym.spaces.Box(0, 255, (7, 7, 3), np.uint8)
NUMBER = gym.spaces.Box(-1, 1)


def nested_walks(workers=0):
    return metarl.GymnasiumDistribution(
        "NestedWalk-v0", NestedWalk, TASKS, horizon=5, workers=workers, reveals=True
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_parts_stand_in_the_spaces_order_and_discrete_ones_are_one_hot(workers):
    distribution = nested_walks(workers)
    assert distribution.observation_space.shape == (2 + 3 + 2 + 1,)
    env = MetaEpisodeEnv(distribution, Episodes(1), 3, generator())
    step = env.reset(fresh_tasks(distribution, "train", 3, 0))
    assert sorted(step.observation[:, 0].tolist()) == [0.0, 0.5, 1.0]
    assert torch.equal(step.observation[:, 0], step.observation[:, 1])
    assert step.observation[:, 2:7].tolist() == 3 * [[1, 0, 0, 1, 0]]
    step, outcome = env.step(torch.ones(3, dtype=torch.int64))
    assert outcome.final_observation[:, 2:5].tolist() == 3 * [[0, 1, 0]]
    assert torch.allclose(outcome.final_observation[:, 7], outcome.reward)  # the position
    env.close()


def test_nested_families_pass_the_checks_and_are_learned_on():
    check_distribution(nested_walks)
    learner = metarl.make_learner(
        "rl2", nested_walks(), metarl.suggested_config("rl2", nested_walks())
    )
    assert learner.update()["steps"] > 0


def nested(space):
    return type("Nested", (NoisyWalk,), {"observation_space": space})


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (
            gym.spaces.Dict(n=NUMBER, mission=gym.spaces.Text(9)),
            r"has \['mission'\], a Text, .*wrappers.FilterObservation, .*ImgObsWrapper\.",
        ),
        (
            gym.spaces.Tuple([NUMBER, gym.spaces.Dict(a=gym.spaces.Sequence(NUMBER))]),
            r"has \[1\]\['a'\], a Sequence, .*FilterObservation",
        ),
        (
            gym.spaces.Dict(image=IMAGE, mission=gym.spaces.Text(9)),
            r"has \['mission'\], a Text, .*ImgObsWrapper\.",
        ),
        (
            gym.spaces.Dict(view=IMAGE, n=NUMBER),
            r"has \['view'\], an image, .*TransformObservation, .*FlattenObservation\.",
        ),
        (
            gym.spaces.Dict(n=gym.spaces.Discrete(MOST_NUMBERS + 1)),
            r"a vector of 1000001 numbers, .*wrappers.TransformObservation\.",
        ),
    ],
)
def test_what_has_no_vector_of_its_own_is_refused_with_the_wrapper_that_helps(space, sentence):
    with pytest.raises(
        ValueError, match=f"^Nested-v0: the observation space .*{sentence}"
    ) as refused:
        metarl.GymnasiumDistribution("Nested-v0", nested(space), TASKS)
    named = set(str(refused.value).replace(",", " ").rstrip(".").split())
    wrappers = {name.partition("gymnasium.wrappers.")[2] for name in named} - {""}
    assert wrappers
    assert all(hasattr(gym.wrappers, name.strip(":")) for name in wrappers)


def test_images_are_flattened_where_the_user_says_so():
    made = metarl.GymnasiumDistribution(
        "Nested-v0",
        lambda task: gym.wrappers.FlattenObservation(nested(gym.spaces.Dict(view=IMAGE))(task)),
        TASKS,
    )
    assert made.observation_space.shape == (147,)


def test_later_tasks_have_the_first_ones_vector():
    def make_env(task):
        return NestedWalk(task) if task < 1 else NoisyWalk(task)

    distribution = metarl.GymnasiumDistribution("Mixed-v0", make_env, TASKS)
    env = MetaEpisodeEnv(distribution, Episodes(1), 3, generator())
    with pytest.raises(PlugInError, match="all tasks must share their spaces"):
        env.reset(fresh_tasks(distribution, "train", 3, 0))
