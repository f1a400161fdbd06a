"""One task taken out of a distribution."""

import pytest

from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.one_task import one_task
from metarl.tasks.mdps.identity import Identity
from tests.checks.line import Line

LINES = GymnasiumDistribution(
    "Line-v0", Line, {"train": [-3.0, 3.0], "test": [-2.5, 2.5, 1.0]}, horizon=8
)


def test_it_has_that_task_and_no_other():
    alone = one_task(LINES, "test", 1)
    assert alone.splits == ("test",)
    assert alone.values(alone.sample(3, "test", 0)) == [2.5] * 3
    assert LINES.values(LINES.sample(2, "train", 0)) != [2.5] * 2  # the distribution is as it was
    with pytest.raises(ValueError, match="no split 'train'"):
        alone.sample(1, "train", 0)


@pytest.mark.parametrize(("split", "index"), [("extrapolate", 0), ("test", 3), ("test", -1)])
def test_what_is_not_there(split, index):
    with pytest.raises(
        ValueError, match=r"no split 'extrapolate'|no task (3|-1) in its split 'test'; it has 3"
    ):
        one_task(LINES, split, index)


def test_families_without_a_list():
    with pytest.raises(ValueError, match="draws its tasks from no list"):
        one_task(Identity(3, 4), "test", 0)
