"""Pictures of rooms: where things are drawn, and that a path keeps to free squares."""

import numpy as np

from metarl.tasks.mazes.four_rooms_drawing import draw_rooms

SIZE = 5
PITCH = 12
FREE = [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2), (3, 3)]  # a U, open to the right
PALE = (170, 221, 203)
WHITE = (255, 255, 255)
WALL = (120, 120, 120)


def squares(picture, where):
    """Return the squares in which any pixel is as `where` [H, W] says."""
    return {(int(row) // PITCH, int(column) // PITCH) for row, column in np.argwhere(where)}


def draw(places, moment):
    return draw_rooms(FREE, SIZE, (1, 3), places, moment).numpy()


def test_walls_goal_and_agent():
    picture = draw([(3, 3)], 0)
    assert picture.shape == (SIZE * PITCH, SIZE * PITCH, 3)
    walls = squares(picture, (picture == WALL).all(-1))
    assert walls == {(i, j) for i in range(SIZE) for j in range(SIZE)} - set(FREE)
    assert squares(picture, (picture == PALE).all(-1)) == {(1, 3)}
    assert squares(picture, (picture < 60).all(-1)) == {(3, 3)}  # the agent, black


def test_a_path_keeps_to_free_squares_round_corners_and_along_double_steps():
    # Two squares at once, a stay, two squares, one
    places = [(1, 3), (1, 1), (1, 1), (3, 1), (3, 2)]
    start = draw(places[:1], 0).astype(int)
    end = draw(places, 4).astype(int)
    assert squares(end, (start != end).any(-1)) == set(FREE) - {(3, 3)}
    corner = draw([(1, 2), (2, 1)], 1).astype(int)  # over (1, 1), for (2, 2) is a wall
    still = draw([(1, 2)], 0).astype(int)
    assert squares(corner, (corner != still).any(-1)) == {(1, 2), (1, 1), (2, 1)}


def test_a_path_is_drawn_up_to_the_moment_from_early_to_late():
    places = [(3, 3), (3, 2), (3, 1), (2, 1), (1, 1), (1, 2)]
    early = draw(places, 1).astype(int)
    late = draw(places, 5).astype(int)
    blue = early[..., 2] > early[..., :2].max(-1) + 40
    red = late[..., 0] > late[..., 2] + 60
    assert squares(early, blue) == {(3, 3), (3, 2)}
    assert (1, 2) in squares(late, red)
    assert not squares(late, red) & {(3, 3), (3, 2)}
