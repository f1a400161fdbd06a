"""GridMaze: rewards, walls, ends and views in a maze drawn by hand."""

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.mazes.grid_maze import GridMaze, path_bound, window_squares
from metarl.tasks.mazes.layouts import parse_drawings

MAZE = parse_drawings(["#######\n#S..#.#\n###.#.#\n#...#.#\n#.###.#\n#....G#\n#######"])
NORTH, EAST, SOUTH, WEST = range(4)


def walk(distribution, actions):
    rng = torch_generator(0)
    state, observation = distribution.reset(MAZE, rng)
    seen = [observation[0]]
    transitions = []
    for action in actions:
        transitions.append(distribution.step(MAZE, state, torch.tensor([action]), rng))
        state = transitions[-1].state
        seen.append(transitions[-1].observation[0])
    return seen, transitions


def test_the_way_to_the_goal_and_what_it_pays():
    _, transitions = walk(GridMaze(3), [EAST, SOUTH, NORTH, NORTH, SOUTH, WEST, SOUTH, EAST, EAST])
    assert [int(t.state) for t in transitions] == [1, 4, 1, 1, 4, 3, 6, 7, 8]
    assert [round(float(t.reward), 3) for t in transitions] == [
        -0.04,
        -0.04,
        -0.04,
        -0.041,
        -0.04,
        -0.04,
        -0.04,
        -0.04,
        0.96,
    ]
    assert [bool(t.terminated) for t in transitions] == [False] * 8 + [True]
    assert [bool(t.success) for t in transitions] == [False] * 8 + [True]


def test_the_cells_own_walls_are_seen():
    seen, _ = walk(GridMaze(3), [EAST, SOUTH])
    assert seen[0].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 1]]
    assert seen[1].tolist() == [[1, 1, 1], [0, 0, 1], [1, 0, 1]]
    assert seen[2].tolist() == [[1, 0, 1], [0, 0, 1], [1, 1, 1]]


def test_a_wider_window_shows_more_and_wall_beyond_the_border():
    seen, _ = walk(GridMaze(3, window=3), [])
    assert seen[0].shape == (7, 7)
    assert seen[0][:2].all()
    assert seen[0][:, :2].all()
    assert seen[0][2:, 2:].tolist() == MAZE.walls[0, :5, :5].long().tolist()
    assert window_squares(3, 3).shape == (9, 49)


def test_neither_place_nor_goal_changes_what_is_seen():
    """Two cells with the same walls look the same, the goal's too."""
    distribution = GridMaze(3)
    seen = distribution._look(MAZE[[0] * 9], torch.arange(9))
    by_walls = {}
    for cell, view in enumerate(seen.flatten(1).tolist()):
        by_walls.setdefault(tuple(view), []).append(cell)
    # The goal's cell looks as the middle one does
    assert by_walls[tuple(seen[8].flatten().tolist())] == [4, 8]


@pytest.mark.parametrize("window", [1, 2, 3])
def test_what_an_agent_can_tell_of_its_moves_is_right(window):
    distribution = GridMaze(4, window=window, loops=0.3)
    tasks = distribution.sample(300, "train", 0)
    rng = torch_generator(1)
    state, observation = distribution.reset(tasks, rng)
    for _ in range(30):
        action = torch.randint(4, (300,), generator=rng)
        pose = torch.stack([state // 4, state % 4, torch.zeros_like(state)], 1)
        reckoned = distribution.odometry(pose, observation, action)
        transition = distribution.step(tasks, state, action, rng)
        assert torch.equal(
            reckoned,
            torch.stack([transition.state // 4, transition.state % 4, torch.zeros_like(state)], 1),
        )
        state = transition.state
        observation = transition.observation


def test_the_bound_is_the_shortest_path():
    assert GridMaze(3).upper_bound(MAZE, 2).tolist() == pytest.approx([2 * (1 - 6 * 0.04)])
    # Too far: never reached
    assert path_bound(torch.tensor([6.0]), 5, 1).tolist() == pytest.approx([-0.2])


def test_horizons_of_the_paper():
    assert [GridMaze(size).horizon for size in (5, 9)] == [250, 1000]
    assert GridMaze(9, horizon=30).horizon == 30


@pytest.mark.parametrize(
    ("arguments", "sentence"), [({"window": 0}, "at least 1"), ({"horizon": -1}, "at least 1")]
)
def test_bad_arguments_get_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        GridMaze(**arguments)
