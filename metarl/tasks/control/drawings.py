"""Pictures of the classic control problems from their states, laid out as in Gymnasium."""

import numpy as np
import torch
from torch import Tensor

from metarl.tasks.canvas import BLACK, BLUE, GREEN, GREY, PALE, VERMILLION, Canvas, Point

__all__ = ["draw_acrobot", "draw_cart_pole", "draw_mountain_car", "draw_pendulum"]

# pixels
HEIGHT = 120
WIDTH = 160


def draw_cart_pole(state: Tensor, half_length: Tensor) -> Tensor:
    """Carts and poles: [n, H, W, 3] uint8.

    Args:
        state: [n, 4] as (x, velocity, angle from upright, angular velocity), in metres and radians,
            clockwise positive.
        half_length: [n] of the poles, in metres.
    """
    pictures = []
    for (x, _, angle, _), length in zip(numbers(state), half_length.tolist(), strict=True):
        scale = min(30.0, 105.0 / (2 * length + 0.1))  # long poles are shown whole
        canvas = Canvas(HEIGHT, WIDTH, scale, (0.0, 48.0 / scale))
        canvas.line([(-2.7, 0.0), (2.7, 0.0)], 0.04, GREY)
        for limit in (-2.4, 2.4):
            canvas.line([(limit, -0.15), (limit, 0.15)], 0.06, VERMILLION)
        canvas.polygon(box(x, 0.0, 0.5, 0.3), BLACK)
        canvas.line(
            [(x, 0.1), (x + 2 * length * np.sin(angle), 0.1 + 2 * length * np.cos(angle))],
            max(0.14, 4.0 / scale),
            BLUE,
        )
        canvas.disc((x, 0.1), 0.06, PALE)
        pictures.append(canvas.picture())
    return torch.from_numpy(np.stack(pictures))


def draw_pendulum(state: Tensor, length: Tensor) -> Tensor:
    """Pendulums: [n, H, W, 3] uint8.

    Args:
        state: [n, 2] as (angle from upright, angular velocity), in radians, counter-clockwise
            positive.
        length: [n] in metres.
    """
    pictures = []
    for (angle, _), metres in zip(numbers(state), length.tolist(), strict=True):
        canvas = Canvas(HEIGHT, WIDTH, 52.0 / max(1.0, metres))
        end = (-metres * np.sin(angle), metres * np.cos(angle))
        canvas.line([(0.0, 0.0), end], 0.16, VERMILLION)
        canvas.disc((0.0, 0.0), 0.05, BLACK)
        pictures.append(canvas.picture())
    return torch.from_numpy(np.stack(pictures))


def draw_acrobot(state: Tensor, upper_length: Tensor, lower_length: Tensor) -> Tensor:
    """Acrobots and the height they must reach: [n, H, W, 3] uint8.

    Args:
        state: [n, 4] as (angle of the first link from hanging down, angle of the second from the
            first, their velocities), in radians.
        upper_length, lower_length: [n] in metres.
    """
    pictures = []
    for (angle, bend, _, _), one, two in zip(
        numbers(state), upper_length.tolist(), lower_length.tolist(), strict=True
    ):
        canvas = Canvas(HEIGHT, WIDTH, 56.0 / max(2.1, one + two))
        elbow = (one * np.sin(angle), -one * np.cos(angle))
        hand = (elbow[0] + two * np.sin(angle + bend), elbow[1] - two * np.cos(angle + bend))
        canvas.line([(-2.6, 1.0), (2.6, 1.0)], 0.03, GREEN)
        canvas.line([(0.0, 0.0), elbow], 0.18, BLUE)
        canvas.line([elbow, hand], 0.18, VERMILLION)
        for joint in ((0.0, 0.0), elbow):
            canvas.disc(joint, 0.08, BLACK)
        pictures.append(canvas.picture())
    return torch.from_numpy(np.stack(pictures))


def draw_mountain_car(state: Tensor) -> Tensor:
    """Cars in the valley and the flag at 0.5: [n, H, W, 3] uint8.

    Args:
        state: [n, 2] as (position, velocity).
    """
    empty = Canvas(HEIGHT, WIDTH, 82.0, (-0.3, 0.6))
    empty.line([(x, mountain(x)) for x in np.linspace(-1.3, 0.7, 60).tolist()], 0.02, GREY)
    flag = mountain(0.5)
    empty.line([(0.5, flag), (0.5, flag + 0.2)], 0.015, BLACK)
    empty.polygon([(0.5, flag + 0.2), (0.5, flag + 0.12), (0.4, flag + 0.16)], GREEN)
    pictures = []
    for position, _ in numbers(state):
        canvas = Canvas(HEIGHT, WIDTH, 82.0, (-0.3, 0.6))
        canvas.pixels[:] = empty.pixels
        tilt = np.arctan(3 * 0.45 * np.cos(3 * position))
        turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        foot = np.array([position, mountain(position)])
        canvas.polygon([pair(foot + turn @ corner) for corner in box(0.0, 0.1, 0.24, 0.09)], BLUE)
        for wheel in (-0.07, 0.07):
            canvas.disc(pair(foot + turn @ (wheel, 0.04)), 0.04, BLACK)
        pictures.append(canvas.picture())
    return torch.from_numpy(np.stack(pictures))


def mountain(position: float) -> float:
    """Height of the mountain car's ground."""
    return 0.45 * float(np.sin(3 * position)) + 0.55


def box(x: float, y: float, width: float, height: float) -> list[Point]:
    """Return the corners of an upright rectangle around (x, y)."""
    return [
        (x + i * width / 2, y + j * height / 2) for i, j in ((-1, -1), (-1, 1), (1, 1), (1, -1))
    ]


def pair(place: np.ndarray) -> Point:
    """Return a point from an array of two."""
    return float(place[0]), float(place[1])


def numbers(state: Tensor) -> list[list[float]]:
    """Return the rows of `state` [n, k]."""
    return [list(row) for row in state.cpu().tolist()]
