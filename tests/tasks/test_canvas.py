import numpy as np
import pytest

from metarl.tasks.canvas import BLACK, BLUE, VERMILLION, WHITE, Canvas, time_colour


def covered(canvas: Canvas) -> float:
    """Return the area that was painted black, in pixels: edges count by their share."""
    return float(((255 - canvas.pixels[..., 0]) / (255 - BLACK[0])).sum())


def test_an_empty_canvas_is_white():
    picture = Canvas(4, 6).picture()
    assert (picture.shape, picture.dtype) == ((4, 6, 3), np.uint8)
    assert (picture == 255).all()


def test_y_goes_up_and_x_to_the_right():
    canvas = Canvas(20, 40, scale=10.0, centre=(1.0, 2.0))
    canvas.disc((2.0, 2.5), 0.2, BLACK)  # 10 pixels right of the middle, 5 above it
    picture = canvas.picture()
    assert tuple(picture[5, 30]) == BLACK
    assert tuple(picture[15, 30]) == tuple(picture[5, 10]) == WHITE


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.3, -0.4)])
def test_areas_are_those_of_geometry_wherever_pixels_lie(place):
    disc = Canvas(100, 100)
    square = Canvas(100, 100)
    line = Canvas(100, 100)
    disc.disc(place, 20.0, BLACK)
    square.polygon(
        [(place[0] + x, place[1] + y) for x, y in ((-10, 0), (0, 10), (10, 0), (0, -10))], BLACK
    )
    line.line([(place[0] - 15, place[1]), (place[0] + 15, place[1])], 6.0, BLACK)
    assert covered(disc) == pytest.approx(np.pi * 400, rel=0.005)
    assert covered(square) == pytest.approx(200, rel=0.01)
    assert covered(line) == pytest.approx(30 * 6 + np.pi * 9, rel=0.01)


def test_a_polygon_may_turn_either_way():
    corners = [(-5.0, -5.0), (5.0, -5.0), (0.0, 5.0)]
    one = Canvas(20, 20)
    other = Canvas(20, 20)
    one.polygon(corners, BLACK)
    other.polygon(corners[::-1], BLACK)
    np.testing.assert_array_equal(one.picture(), other.picture())


def test_what_lies_beyond_the_picture_is_left_out():
    canvas = Canvas(10, 10)
    canvas.disc((500.0, 0.0), 3.0, BLACK)
    canvas.line([(-50.0, 0.0), (50.0, 0.0)], 2.0, BLACK)
    assert covered(canvas) == pytest.approx(20, rel=0.01)


def test_time_goes_from_blue_to_vermillion():
    assert (time_colour(0.0), time_colour(1.0)) == (BLUE, VERMILLION)
    assert time_colour(0.5) not in (BLUE, VERMILLION)
