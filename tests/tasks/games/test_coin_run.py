"""CoinRun's levels as tasks: splits, settings, bad input."""

import pytest
import torch

from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.games.coin_run import FIRST_TEST_LEVEL, CoinRun


def test_levels_of_training_are_the_first_ones_and_those_of_test_are_others():
    distribution = CoinRun(levels=10, test_levels=20)
    assert list(distribution.task_lists["train"]) == list(range(10))
    assert list(distribution.task_lists["test"]) == list(
        range(FIRST_TEST_LEVEL, FIRST_TEST_LEVEL + 20)
    )
    assert sorted(distribution.values(distribution.sample(10, "train", 0))) == list(range(10))


def test_a_row_plays_the_level_of_its_task():
    distribution = CoinRun(levels=4)
    env = MetaEpisodeEnv(distribution, Episodes(2, 0), 4, torch_generator(0))
    step = env.reset(fresh_tasks(distribution, "train", 4, 0))
    levels = distribution.values(distribution.sample(4, "train", 0))
    assert sorted(levels) == [0, 1, 2, 3]
    for i in range(4):
        for j in range(i):
            assert not torch.equal(step.observation[i], step.observation[j])
    env.close()


def test_settings_make_it_again():
    distribution = CoinRun(
        levels=3, difficulty="easy", backgrounds=False, paint_velocity=False, horizon=50
    )
    other = make("CoinRun-v0", **distribution.config())
    assert other.config() == distribution.config()
    assert other.maker == distribution.maker
    assert other.maker(0).reset()[0].shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"levels": 0}, "levels must lie between 1 and 10000000, not 0"),
        ({"test_levels": 0}, "test_levels must lie between"),
        (
            {"difficulty": "extreme"},
            "There is no difficulty 'extreme'|there is no difficulty 'extreme'",
        ),
        ({"horizon": 1001}, "horizon must lie between 1 and 1000"),
    ],
)
def test_bad_settings(arguments, problem):
    with pytest.raises(ValueError, match=problem):
        CoinRun(**arguments)
