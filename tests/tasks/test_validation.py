"""A split to choose settings by.

Of its own tasks, beside train and test, which it leaves where they are.
"""

import pytest

import metarl
from metarl.core.registry import DISTRIBUTIONS
from metarl.tasks.mazes.layouts import maze_bits

SLOW = (
    "Airstriker-v0",
    "AtariFlavours-v0",
    "CoinRun-v0",
    "MetaWorldML1-v0",
    "MetaWorldML10-v0",
    "MetaWorldML45-v0",
    "Sonic-v0",
)
OFFERING = {
    "Acrobot-v0", "AntDirection-0to360-h200-v0", "AntGoal-radius3-h200-v0", "AntPhysics-v0", "BernoulliBandit-v0", "CartPole-v0",
    "GaussianBandit-v0", "GridMaze-v0", "HalfCheetahPhysics-v0", "HalfCheetahVelocity-0to2-h200-v0", "HalfCheetahVelocity-0to3-h200-v0",
    "HopperPhysics-v0", "MountainCar-v0", "Pendulum-v0", "PointNavigation-v0", "RandomMDP-v0", "SineRegression-v0", "VisualMaze-v0",
    "Walker2dPhysics-v0",
}  # fmt: skip
TRAIN_AND_TEST = {  # fingerprints of 5 tasks with seed 3, from before there was a third split
    "BernoulliBandit-v0": ("e475f53d834e9c20", "9f255fada135b6a8"),
    "RandomMDP-v0": ("38240e89aefbd53c", "abda2dfb560836ca"),
    "GridMaze-v0": ("c517dae417494360", "6f349c936869e931"),
    "CartPole-v0": ("09f8cc514dd08fd0", "8cff05745b47ccc9"),
    "PointNavigation-v0": ("a98d2975a9ed59a1", "a38d7106ed62e703"),
    "SineRegression-v0": ("88a9e0dd885a7b99", "72734d62743774e1"),
    "AntGoal-radius3-h200-v0": ("07445129c6f37436", "9ce480b8e93c8fc4"),
    "HopperPhysics-v0": ("dffbb632efed95a6", "016d3b267857c86c"),
    "GridNavi-v0": ("9ae8ae3edaf3b47b", "580af8486ac32bdc"),
}


@pytest.mark.parametrize(
    "id", [id for id in (*DISTRIBUTIONS, "SineRegression-v0") if id not in SLOW]
)
def test_families_without_end_have_a_validation_split(id):
    family = metarl.make(id)
    assert ("validation" in family.splits) == (id in OFFERING)
    if id in OFFERING:
        prints = {
            family.sample(5, split, 3).fingerprint for split in ("train", "test", "validation")
        }
        assert len(prints) == 3


def test_mazes_for_validation_are_in_no_other_split():
    family = metarl.make("GridMaze-v0", size=4, train_mazes=0, test_mazes=300)
    seen = [
        set(maze_bits(family.sample(600, split, 1)).tolist())
        for split in ("train", "test", "validation")
    ]
    assert len(seen[2]) > 500
    assert not seen[2] & (seen[0] | seen[1])
    assert "validation" not in metarl.make("GridMaze-v0", size=3).splits
    with pytest.raises(ValueError, match="no split 'validation'; choose one of train, test"):
        metarl.make("GridMaze-v0", size=5, test_mazes=0).sample(1, "validation", 0)


def test_agents_are_scored_on_it():
    bandit = metarl.make("BernoulliBandit-v0")
    budget = metarl.Episodes(3)
    result = metarl.evaluate(
        metarl.make_agent("random", bandit, budget), bandit, "validation", 4, 0, budget
    )
    assert result.split == "validation"


@pytest.mark.parametrize("id", TRAIN_AND_TEST)
def test_train_and_test_are_where_they_were(id):
    assert (
        tuple(metarl.make(id).sample(5, split, 3).fingerprint for split in ("train", "test"))
        == TRAIN_AND_TEST[id]
    )
