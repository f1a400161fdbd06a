import numpy as np
import pytest
import torch

from metarl.core.capabilities import Renderable, RendersPaths
from metarl.core.reveal import reveal
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.canvas import BLACK, BLUE, GREEN, GREY, VERMILLION
from metarl.tasks.mazes.drawings import draw_maze, places_of, walked_line
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.layouts import parse_drawings

CORNER = """
#####
#S  #
### #
#  G#
#####
"""
# of a drawing with two cells a side
PITCH = 75
THICK = 9


def middle(row: float, column: float) -> tuple[int, int]:
    """Return the pixel in the middle of a cell."""
    return tuple(round(THICK + PITCH * place + (PITCH - THICK) / 2) for place in (row, column))


def draw(places, moment=0, heading=None):
    return draw_maze(parse_drawings([CORNER]), torch.tensor(places), moment, heading).numpy()


def test_walls_start_and_goal_are_where_the_drawing_has_them():
    picture = draw([[0, 1]])
    assert (picture.shape, picture.dtype) == ((2 * PITCH + THICK, 2 * PITCH + THICK, 3), np.uint8)
    assert tuple(picture[middle(1, 1)]) == GREEN
    assert tuple(picture[middle(0, 0)]) == (225, 225, 225)  # within the start's ring
    assert tuple(picture[middle(0, 0)[0], middle(0, 0)[1] - round(0.25 * PITCH)]) == GREY
    assert tuple(picture[middle(0, 1)]) == BLACK  # the agent
    row, column = middle(0.5, 0)  # between two cells: a wall in the left column, none in the right
    assert tuple(picture[row, column]) == BLACK
    assert tuple(picture[row, middle(0, 1)[1]]) == (255, 255, 255)
    assert (picture[:THICK] == BLACK).all()


def test_only_what_was_walked_by_then_is_drawn():
    path = [[0, 0], [0, 1], [1, 1]]
    # Going east, south of it
    right_of_the_middle = (middle(0, 0)[0] + round(0.13 * PITCH), middle(0, 0.5)[1])
    down = (middle(0.5, 0)[0], middle(0, 1)[1] - round(0.13 * PITCH))  # going south, west of it
    colours = [
        [tuple(draw(path, moment)[place]) for place in (right_of_the_middle, down)]
        for moment in range(3)
    ]
    white = (255, 255, 255)
    assert colours[0] == [white, white]
    assert colours[1][1] == white
    assert colours[1][0] == colours[2][0] != white
    assert colours[2][1] == VERMILLION  # the episode's last step


def test_a_wedge_points_where_the_agent_faces():
    east, west = (draw([[0, 1]], heading=heading) for heading in (1, 3))
    row, column = middle(0, 1)
    tip = column + round(0.25 * PITCH)
    tail = column - round(0.25 * PITCH)
    assert (east[row - 8 : row + 9, tip] == BLACK).all(1).sum() < (
        west[row - 8 : row + 9, column + 10] == BLACK
    ).all(1).sum()
    assert tuple(east[row, tip]) == BLACK == tuple(west[row, tail])
    assert tuple(east[row, tail]) != BLACK


def test_cells_are_numbered_row_by_row():
    assert places_of(torch.tensor([0, 4, 5, 24]), 5).tolist() == [[0, 0], [0, 4], [1, 0], [4, 4]]


def test_there_and_back_lie_side_by_side():
    there_and_back = np.array([[0, 0], [0, 1], [0, 0]])
    pieces = [piece for _, piece in walked_line(there_and_back, aside=0.25)]
    assert pieces == [
        ((0.25, 0.0), (0.25, 1.0)),
        ((0.25, 1.0), (-0.25, 1.0)),
        ((-0.25, 1.0), (-0.25, 0.0)),
    ]


@pytest.mark.parametrize(("turn", "corner"), [([1, 1], (0.25, 0.75)), ([-1, 1], (0.25, 1.25))])
def test_corners_meet(turn, corner):
    pieces = [piece for _, piece in walked_line(np.array([[0, 0], [0, 1], turn]), aside=0.25)]
    assert pieces[0][1] == pieces[1][0] == corner


def test_steps_into_walls_draw_nothing_but_take_their_time():
    path = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [0, 2]])
    assert [step for step, _ in walked_line(path)] == [2, 4]
    assert list(walked_line(path[:2])) == []


def test_paths_off_the_grid_join_their_places():
    path = np.array([[0.0, 0.0], [0.5, 0.25], [0.5, 1.5]])
    assert [piece for _, piece in walked_line(path)] == [
        ((0.0, 0.0), (0.5, 0.25)),
        ((0.5, 0.25), (0.5, 1.5)),
    ]


def test_a_path_starts_in_blue():
    path = [[0, 0]] + [[0, 1], [0, 0]] * 40
    picture = draw(path, 1)
    shown = picture[middle(0, 0)[0] + round(0.13 * PITCH), middle(0, 0.5)[1]]
    assert np.abs(shown.astype(int) - BLUE).max() < 10


@pytest.mark.parametrize("told", [False, True])
def test_grid_mazes_draw_moments_and_paths(told):
    maze = reveal(GridMaze(3)) if told else GridMaze(3)
    tasks = maze.sample(2, "test", 0)
    cells = torch.tensor([4, 7])
    pictures = maze.render(tasks, cells)
    assert (pictures.shape[0], pictures.shape[3], pictures.dtype) == (2, 3, torch.uint8)
    assert torch.equal(pictures[1], draw_maze(tasks[1], torch.tensor([[2, 1]]), 0))
    path = maze.render_path(tasks[:1], torch.tensor([0, 1, 4]), 1)
    assert torch.equal(path, draw_maze(tasks[:1], torch.tensor([[0, 0], [0, 1], [1, 1]]), 1))


def test_families_show_nothing_unless_they_say_how():
    bandit = BernoulliBandit(2)
    assert not isinstance(bandit, Renderable | RendersPaths)
    assert bandit.open(1, torch.Generator()).render(0) is None
