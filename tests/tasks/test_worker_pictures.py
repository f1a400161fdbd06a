"""Worker processes draw what rows draw in the process itself."""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from tests.tasks.painted import Painted


def rows_of(tasks, workers):
    distribution = GymnasiumDistribution(
        "Painted-v0", Painted, {"train": tasks, "test": [100]}, workers=workers
    )
    rows = distribution.open(len(tasks), torch_generator(0))
    drawn = distribution.sample(len(tasks), "train", 0)
    rows.reset(torch.ones(len(tasks), dtype=torch.bool), drawn)
    return rows, distribution.values(drawn)


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_each_row_draws_its_own(workers):
    rows, tasks = rows_of([1, 2, 3], workers)
    try:
        for steps in range(3):
            for row in (2, 0, 1):
                wanted = torch.tensor([tasks[row], steps, 7], dtype=torch.uint8).expand(
                    2 + tasks[row], 3, 3
                )
                assert torch.equal(rows.render(row), wanted)
            rows.step(torch.zeros(3, dtype=torch.int64))
    finally:
        rows.close()


@pytest.mark.parametrize("workers", [0, 1])
def test_what_draws_nothing_gives_none(workers):
    rows, _ = rows_of([-1], workers)
    assert rows.render(0) is None
    rows.step(torch.zeros(1, dtype=torch.int64))
    rows.close()


def test_an_error_while_drawing_names_the_task():
    rows, _ = rows_of([9], 1)
    with pytest.raises(
        ValueError,
        match="train task 0 .9., in row 0 .*raised RuntimeError while being drawn: no paint left",
    ):
        rows.render(0)
