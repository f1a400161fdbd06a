"""Where ends of poles and links are drawn, against trigonometry done by hand."""

import numpy as np
import pytest
import torch

from metarl.core.registry import make
from metarl.tasks.canvas import BLUE, GREEN, VERMILLION
from metarl.tasks.control.drawings import (
    HEIGHT,
    WIDTH,
    draw_acrobot,
    draw_cart_pole,
    draw_mountain_car,
    draw_pendulum,
)

RIGHT_ANGLE = np.pi / 2


def states(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def extent(picture, colour) -> tuple[float, float, float, float]:
    """Return the box around a colour's pixels.

    (left, right, top, bottom), from the picture's middle, y upwards.
    """
    rows, columns = np.nonzero((picture.numpy() == colour).all(-1))
    return (
        columns.min() - WIDTH / 2,
        columns.max() - WIDTH / 2,
        HEIGHT / 2 - rows.min(),
        HEIGHT / 2 - rows.max(),
    )


@pytest.mark.parametrize(
    ("id", "size"),
    [("Acrobot-v0", 4), ("CartPole-v0", 4), ("MountainCar-v0", 2), ("Pendulum-v0", 2)],
)
def test_pictures_are_batches_of_bytes(id, size):
    family = make(id)
    state = torch.rand(3, size, generator=torch.Generator().manual_seed(0))
    pictures = family.render(family.sample(3, "test", 0), state)
    assert (pictures.shape, pictures.dtype) == ((3, HEIGHT, WIDTH, 3), torch.uint8)
    assert not torch.equal(pictures[0], pictures[1])


def test_a_pendulum_at_rest_points_up_and_turns_counter_clockwise():
    up, left, down = (
        extent(picture, VERMILLION)
        for picture in draw_pendulum(states([0, 0], [RIGHT_ANGLE, 0], [np.pi, 0]), torch.ones(3))
    )
    assert up[2] == pytest.approx(52 + 4, abs=2)  # one metre and half the rod's width
    assert left[0] == pytest.approx(-56, abs=2)
    assert down[3] == pytest.approx(-56, abs=2)


def test_a_longer_pendulum_is_drawn_smaller_but_whole_and_a_shorter_one_shorter():
    short, long = draw_pendulum(states([0, 0], [0, 0]), torch.tensor([0.5, 2.0]))
    assert extent(short, VERMILLION)[2] == pytest.approx(26 + 4, abs=2)
    assert extent(long, VERMILLION)[2] == pytest.approx(52 + 2, abs=2)


def test_an_acrobot_at_rest_hangs_and_its_second_angle_is_the_first_links():
    straight, bent = draw_acrobot(
        states([0, 0, 0, 0], [RIGHT_ANGLE, RIGHT_ANGLE, 0, 0]), torch.ones(2), torch.ones(2)
    )
    metre = 56 / 2.1
    assert extent(straight, VERMILLION)[3] == pytest.approx(-2 * metre, abs=3)
    # The first link to the right (a joint covers its end) ...
    assert extent(bent, BLUE)[1] == pytest.approx(metre, abs=5)
    # ... the second upwards from its end
    assert extent(bent, VERMILLION)[2] == pytest.approx(metre, abs=3)


def test_the_links_lengths_are_the_tasks():
    elbow = extent(
        draw_acrobot(states([0, 0, 0, 0]), torch.tensor([0.5]), torch.tensor([1.5]))[0], VERMILLION
    )
    metre = 56 / 2.1
    assert elbow[3] == pytest.approx(-2 * metre, abs=3)
    assert elbow[2] == pytest.approx(-0.5 * metre, abs=4)


def test_poles_lean_clockwise_and_carts_stand_at_x():
    left, right = (
        extent(picture, BLUE)
        for picture in draw_cart_pole(
            states([-1, 0, -0.5, 0], [1, 0, 0.5, 0]), torch.full((2,), 0.5)
        )
    )
    assert left[0] == pytest.approx(-30 - 30 * np.sin(0.5), abs=4)
    assert right[1] == pytest.approx(30 + 30 * np.sin(0.5), abs=4)


@pytest.mark.parametrize("length", [0.25, 0.5, 1.5, 4.0])
def test_poles_of_every_length_fit(length):
    shown = extent(draw_cart_pole(states([0, 0, 0, 0]), torch.tensor([length]))[0], BLUE)
    scale = min(30, 105 / (2 * length + 0.1))
    assert shown[2] == pytest.approx(-48 + scale * (0.1 + 2 * length) + max(0.07 * scale, 2), abs=2)
    assert shown[2] < HEIGHT / 2


def test_the_car_is_on_the_mountain():
    valley, goal = draw_mountain_car(states([-np.pi / 6, 0], [0.5, 0]))
    # Level in the lowest place, 0.1 high
    assert extent(valley, BLUE)[3] == pytest.approx((0.1 + 0.1 - 0.045 - 0.6) * 82, abs=2)
    flag = extent(goal, GREEN)[1]
    assert extent(goal, BLUE)[0] < flag < extent(goal, BLUE)[1]
