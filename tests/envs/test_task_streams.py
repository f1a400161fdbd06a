"""Tasks that a user's function draws without end.

The same everywhere, in one split only, and in all that plays them.
"""

import numpy as np
import pytest
import torch

import metarl
from metarl.checks import check_distribution
from metarl.envs.content import content_key
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.one_task import one_task
from metarl.learners.memory.rl2 import RL2, RL2Config
from tests.tasks.noisy_walk import NoisyWalk


def drift(rng):
    return float(rng.uniform(-1, 1))


def whole(rng):
    return int(rng.integers(40))


def walks(splits=None, **arguments):
    return GymnasiumDistribution("NoisyWalk-v0", NoisyWalk, splits, **{"horizon": 4, **arguments})


def contents(family, split, n=300, seed=0):
    return {content_key(value) for value in family.values(family.sample(n, split, seed))}


@pytest.mark.parametrize("sampler", [drift, whole])
def test_one_function_draws_for_all_splits_and_none_shares_a_task(sampler):
    family = walks(sampler=sampler)
    assert family.splits == ("train", "test", "validation")
    seen = [contents(family, split) for split in family.splits]
    assert len(set.union(*seen)) == sum(map(len, seen))
    assert len(set.union(*seen)) == 40 if sampler is whole else len(seen[0]) == 300


def test_sampling_is_pure_and_fingerprints_are_of_content():
    one = walks(sampler=drift)
    other = walks(sampler=lambda rng: np.float64(rng.uniform(-1, 1)))
    tasks = one.sample(6, "train", 3)
    assert (
        tasks.fingerprint
        == one.sample(6, "train", 3).fingerprint
        == other.sample(6, "train", 3).fingerprint
    )
    assert one.values(tasks) == other.values(other.sample(6, "train", 3))
    assert tasks.fingerprint != one.sample(6, "train", 4).fingerprint
    assert (
        tasks.fingerprint
        != walks(sampler=lambda rng: 2 * drift(rng)).sample(6, "train", 3).fingerprint
    )
    assert len(one.sample(0, "train", 3)) == 0
    assert tasks[[1, 2]].content.dtype == torch.int64


def test_tasks_of_a_list_are_drawn_again():
    family = walks({"train": whole, "test": [1, 2.0, np.int64(3)]})
    assert not contents(family, "train") & contents(family, "test")
    assert len(contents(family, "train")) == 37
    beside = walks({"test": [1, 2, 3]}, sampler=whole)
    assert beside.splits == ("test", "train", "validation")
    assert len(contents(beside, "train") | contents(beside, "validation")) == 37
    assert len(contents(walks({"train": whole, "test": [1]}, finite=True), "train")) == 40


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_and_training_play_them(workers):
    family = walks(sampler=drift, workers=workers)
    budget = metarl.Episodes(2)
    result = metarl.evaluate(
        metarl.make_agent("random", family, budget), family, "test", 5, 0, budget
    )
    again = metarl.evaluate(
        metarl.make_agent("random", walks(sampler=drift), budget),
        walks(sampler=drift),
        "test",
        5,
        0,
        budget,
    )
    assert np.array_equal(result.returns, again.returns)
    assert result.fingerprint == again.fingerprint
    if not workers:
        RL2(RL2Config(episodes=2, iterations=1, num_envs=4), family).update()


def test_checks_pass():
    assert "played validation: 32 tasks" in str(
        check_distribution(lambda: walks(sampler=drift, reveals=True))
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"sampler": 3}, "sampler must be a function of a NumPy generator"),
        (
            {"splits": {"train": 3}},
            "the split 'train' needs a list of tasks, or a function that draws one, not 3",
        ),
        (
            {"sampler": lambda: 1},
            "the sampler of train tasks raised TypeError.* called with a NumPy generator",
        ),
        (
            {"sampler": lambda rng: object().__hash__},
            "gives another task for the same generator|none was for",
        ),
        (
            {"sampler": lambda rng, own=np.random.default_rng(0): own.random()},
            "draw from the generator that it is called with",
        ),
        ({"sampler": lambda rng: 1}, "of 1000 tasks that the sampler drew none was for the split"),
        (
            {"splits": {"train": whole, "test": whole}},
            "the samplers of train and test draw the same task",
        ),
        (
            {"splits": {"train": lambda rng: 1, "test": [1]}},
            "none was for the split 'train', since other splits have them all",
        ),
    ],
)
def test_what_is_no_sampler_gets_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        walks(**arguments)


def test_there_is_no_list_to_take_from():
    with pytest.raises(ValueError, match="draws the tasks of 'train' from no list"):
        one_task(walks(sampler=drift), "train", 0)
    with pytest.raises(ValueError, match="drawn without end"):
        walks(sampler=drift).task_groups("train")
