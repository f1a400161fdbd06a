"""An ant's walk from above: walls, its way so far, its limbs, and its goal."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metarl.tasks.canvas import BLACK, GREEN, GREY, Canvas, time_colour
from metarl.tasks.mujoco.drawing import stick_segments
from metarl.tasks.mujoco.models import Wall, import_mujoco

__all__ = ["draw_walk"]

PIXELS = 240
PIECES = 250  # most lines that a way is drawn with


def draw_walk(
    model: Any,
    positions: Tensor,
    moment: int,
    goal: tuple[float, float],
    low: np.ndarray,
    high: np.ndarray,
    walls: Sequence[Wall] = (),
) -> Tensor:
    """Return a walk up to `moment`, blue where it is early in the episode to vermillion where it is
    late: [240, 240, 3] uint8.

    Args:
        model: the ant's.
        positions: [T + 1, nq] MuJoCo's qpos, of the whole episode.
        moment: from 0 to T.
        goal: x and y in m.
        low, high: [2] m, corners of what the picture shows at least.
        walls: to draw.
    """
    mujoco = import_mujoco()
    data = mujoco.MjData(model)
    data.qpos[:] = positions[moment].cpu().numpy()
    mujoco.mj_kinematics(model, data)
    span = float((high - low).max())
    middle = (low + high) / 2
    canvas = Canvas(PIXELS, PIXELS, PIXELS / span, (float(middle[0]), float(middle[1])))
    pixel = span / PIXELS
    for wall in walls:
        canvas.polygon(
            [
                (wall.x + x * wall.half_x, wall.y + y * wall.half_y)
                for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))
            ],
            GREY,
        )
    canvas.disc(goal, max(0.4, 4 * pixel), GREEN)
    episode = len(positions) - 1
    shown = np.unique(np.linspace(0, moment, min(moment, PIECES) + 1).round().astype(int))
    places = positions[:, :2].cpu().numpy()
    for first, last in pairwise(shown.tolist()):
        ends = [(float(places[i, 0]), float(places[i, 1])) for i in (first, last)]
        canvas.line(ends, 2.5 * pixel, time_colour((first + last) / 2 / episode))
    segments, widths = stick_segments(mujoco, model, data, (0, 1))
    for ends, width in zip(segments.tolist(), widths.tolist(), strict=True):
        canvas.line([tuple(end) for end in ends], max(width, 1.5 * pixel), BLACK)
    return torch.from_numpy(canvas.picture())
