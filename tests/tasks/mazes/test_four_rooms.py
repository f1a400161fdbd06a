"""Four rooms: the grid, moves and slips worked out by hand, splits, and the bound."""

import math

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.mazes.four_rooms import (
    CELLS,
    GOALS,
    START,
    FourRooms,
    FourRoomsTasks,
    best_play,
    transition_matrix,
)

UP, DOWN, LEFT, RIGHT = range(4)
NUMBER = {cell: i for i, cell in enumerate(CELLS)}
CPU = torch.device("cpu")


def shares_after(cell, action, n=40_000):
    """Return how often each cell comes after `cell`, by playing."""
    tasks = FourRoomsTasks(torch.full((n,), 103))
    state = torch.full((n,), cell)
    after = (
        FourRooms().step(tasks, state, torch.full((n,), action), torch_generator(0, "noise")).state
    )
    return after.bincount(minlength=104) / n


def test_the_grid_is_that_of_the_papers():
    assert len(CELLS) == 104
    assert CELLS[START] == (7, 9)
    doors = [(3, 6), (6, 2), (7, 9), (10, 6)]
    assert [NUMBER[door] for door in doors] == [25, 51, 62, 88]
    assert CELLS[103] == (11, 11)


@pytest.mark.parametrize(
    ("cell", "action", "wanted"),
    [
        ((7, 9), LEFT, {(7, 9): 1}),  # into a wall
        ((11, 11), DOWN, {(11, 11): 1}),
        (
            (7, 9),
            DOWN,
            {(8, 9): 2 / 3, (7, 9): 1 / 12, (9, 9): 1 / 12, (8, 8): 1 / 12, (8, 10): 1 / 12},
        ),
        ((8, 10), UP, {(8, 10): 1}),
        (
            (9, 9),
            RIGHT,
            {(9, 10): 2 / 3, (8, 10): 1 / 12, (10, 10): 1 / 12, (9, 9): 1 / 12, (9, 11): 1 / 12},
        ),
        ((11, 10), RIGHT, {(11, 11): 2 / 3, (10, 11): 1 / 6, (11, 10): 1 / 6}),
    ],
)
def test_moves_and_slips(cell, action, wanted):
    exact = torch.zeros(104, dtype=torch.float64)
    for place, chance in wanted.items():
        exact[NUMBER[place]] = chance
    assert torch.allclose(transition_matrix()[NUMBER[cell], action], exact)
    found = shares_after(NUMBER[cell], action).double()
    error = (exact * (1 - exact) / 40_000).sqrt()
    assert ((found - exact).abs() <= 4 * error).all()


def test_the_goal_pays_at_every_step_and_ends_nothing():
    distribution = FourRooms()
    tasks = FourRoomsTasks(torch.tensor([103, 102]))
    state = torch.tensor([103, 103])
    for _ in range(3):
        transition = distribution.step(
            tasks, state, torch.tensor([DOWN, RIGHT]), torch_generator(0)
        )
        state = transition.state
        assert state.tolist() == [103, 103]
        assert transition.reward.tolist() == [1, 0]
        assert transition.success.tolist() == [True, False]
        assert not transition.terminated.any()


def test_splits_share_no_goal_and_are_equally_hard():
    distribution = FourRooms()
    seen = {
        split: set(distribution.sample(5000, split, 0).goal.tolist())
        for split in distribution.splits
    }
    assert seen == {split: set(cells) for split, cells in GOALS["any"].items()}
    assert not seen["train"] & seen["test"]
    assert seen["train"] | seen["test"] | {START} == set(range(104))
    assert (len(seen["train"]), len(seen["test"])) == (77, 26)
    rooms = {(CELLS[cell][0] > 6, CELLS[cell][1] > 6) for cell in seen["test"]}
    assert len(rooms) == 4
    values = [best_play(100, CPU).value[list(cells)].mean().item() for cells in seen.values()]
    assert values == pytest.approx([68.63, 68.62], abs=0.01)


def test_goals_in_one_room_are_around_those_of_the_released_code():
    seen = {
        split: set(FourRooms("room").sample(2000, split, 0).goal.tolist())
        for split in ("train", "test")
    }
    assert {split: len(cells) for split, cells in seen.items()} == {"train": 15, "test": 5}
    assert seen["train"] | seen["test"] == {
        i for i, (row, column) in enumerate(CELLS) if 8 <= row <= 11 and 7 <= column <= 11
    }
    assert seen["train"] >= set(GOALS["four"]["train"])
    assert not FourRooms("room").finite


def test_goals_in_the_other_room_on_the_right():
    seen = {
        split: set(FourRooms("upper-room").sample(2000, split, 0).goal.tolist())
        for split in ("train", "test")
    }
    assert {split: len(cells) for split, cells in seen.items()} == {"train": 23, "test": 7}
    assert seen["train"] | seen["test"] == {
        i for i, (row, column) in enumerate(CELLS) if 1 <= row <= 6 and 7 <= column <= 11
    }


def test_named_goals():
    assert set(FourRooms("four").sample(1000, "test", 0).goal.tolist()) == {68, 80, 90, 103}
    assert set(FourRooms("released").sample(1000, "train", 0).goal.tolist()) == {103}
    assert (FourRooms().finite, FourRooms("four").finite, FourRooms("released").finite) == (
        False,
        True,
        True,
    )


def test_the_bound_by_hand_and_by_play():
    tasks = FourRoomsTasks(torch.tensor([NUMBER[8, 9], NUMBER[9, 9], 103]))
    assert FourRooms(horizon=1).upper_bound(tasks, 3).tolist() == pytest.approx(
        [3 * 2 / 3, 3 / 12, 0]
    )
    # from beside the goal; by a slip in the doorway, where one of two ways leads back
    arrives = 2 / 3
    returns = 1 / 3 / 2
    two_steps = arrives * (1 + returns) + (1 - arrives) * arrives
    assert FourRooms(horizon=2).upper_bound(tasks[0], 1).item() == pytest.approx(two_steps)
    distribution = FourRooms()
    n = 20_000
    tasks = distribution.sample(n, "test", 0)
    rng = torch_generator(1)
    best = best_play(100, CPU).action
    state, _ = distribution.reset(tasks, rng)
    total = torch.zeros(n, dtype=torch.float64)
    for t in range(100):
        transition = distribution.step(tasks, state, best[tasks.goal, t, state], rng)
        state = transition.state
        total = total + transition.reward
    above = total - distribution.upper_bound(tasks, 1)
    assert above.mean().item() == pytest.approx(0, abs=4 * above.std().item() / math.sqrt(n))


def test_bad_arguments_get_a_sentence():
    with pytest.raises(
        ValueError, match="no goals 'all'; choose one of any, room, upper-room, four, released"
    ):
        FourRooms("all")
    with pytest.raises(ValueError, match="horizon must be at least 1"):
        FourRooms(horizon=0)
