"""Frames of MuJoCo robots, by MuJoCo's renderer where EGL is there (no display is needed), else as
stick figures by matplotlib.
"""

import atexit
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from metarl.tasks.mujoco.models import Wall, import_mujoco, load_model
from metarl.tasks.mujoco.renderer import Mark, OffscreenRenderer

__all__ = ["MujocoPainter", "painter_of", "stick_segments"]

# From the side, which is where the planar robots move
CAMERA = {"distance": 4.0, "elevation": -15.0, "azimuth": 90.0}
EYE_HEIGHT = 0.8  # m, where it looks
# Of a place to go to, with the start in the middle
OVERVIEW = {"elevation": -50.0, "azimuth": 90.0}
LOW_WALL = 0.4  # m: walls are drawn so low that the robot shows behind them
# M to each side; Gymnasium's ends after 40 m, and a fast robot would hang in the air
FLOOR = 1000.0
GREEN = (0.0, 0.62, 0.45, 1.0)
GREY = (0.5, 0.5, 0.5, 1.0)
# m: what a stick figure shows of height, and to both sides of the torso
LOW = -0.2
HIGH = 2.0
REACH = 1.6


class MujocoPainter:
    """Draws a family's robots as images; close it when done.

    Args:
        family: a `MujocoFamily`, whose robot is drawn.
        width, height: of an image, in pixels.
        how: "renderer" (MuJoCo's, through EGL), "sticks" (capsules' axes, projected on the x-z
            plane), or "auto", the first that works.

    Attributes:
        how: "renderer" or "sticks".

    Raises:
        ValueError: no renderer works here and `how` asks for it.
    """

    def __init__(
        self,
        family: Any,
        width: int = 320,
        height: int = 240,
        how: Literal["auto", "renderer", "sticks"] = "auto",
    ):
        if how not in ("auto", "renderer", "sticks") or min(width, height) < 16:
            raise ValueError(
                f"how is auto, renderer or sticks, at 16 pixels or more; not {how!r} at {width} x"
                f" {height}."
            )
        self._mujoco = import_mujoco(family.id)
        self.family = family
        self.width = width
        self.height = height
        self.model = load_model(family.robot.xml, textures=True)
        lengthen_floor(self.model, self._mujoco)
        self._data = self._mujoco.MjData(self.model)
        self._renderer: OffscreenRenderer | None = None
        if how != "sticks":
            try:
                view = OVERVIEW | {"distance": family.sight} if family.has_goal else CAMERA
                self._renderer = OffscreenRenderer(self.model, width, height, **view)
            except ValueError as error:
                if how == "renderer":
                    raise ValueError(f"{error} Or use how='sticks'.") from error
        self.how = "sticks" if self._renderer is None else "renderer"

    def __call__(
        self,
        state: Any,
        row: int = 0,
        goal: tuple[float, float] | None = None,
        walls: Sequence[Wall] = (),
    ) -> np.ndarray:
        """The robot of `row` of `state`, as an image [height, width, 3] uint8, with the torso in
        the middle.

        Where there is a `goal` (x and y, in m), it is marked green; in a family of goals, the start
        is in the middle and all around shows, or the middle of all `walls`, which stick figures
        leave out.
        """
        self._data.qpos[:] = state.position[row].cpu().numpy()
        self._data.qvel[:] = 0
        self._mujoco.mj_forward(self.model, self._data)
        if self._renderer is None:
            return self._sticks(goal)
        if goal is not None:
            ends = np.array(
                [
                    [sign * half + at for at, half in ((w.x, w.half_x), (w.y, w.half_y))]
                    for w in walls
                    for sign in (-1, 1)
                ]
            )
            x, y = (ends.min(0) + ends.max(0)) / 2 if len(walls) else (0.0, 0.0)
            radius = self.family.sight / 36  # 25 cm where AntGoal is seen from
            low = [
                Mark((w.x, w.y, LOW_WALL / 2), (w.half_x, w.half_y, LOW_WALL / 2), GREY)
                for w in walls
            ]
            return self._renderer.draw(
                self._data, (float(x), float(y), 0.0), [Mark((*goal, radius), radius, GREEN), *low]
            )
        across, along = self._data.xpos[1, :2]
        return self._renderer.draw(self._data, (float(across), float(along), EYE_HEIGHT))

    def close(self) -> None:
        """Release the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _sticks(self, goal: tuple[float, float] | None) -> np.ndarray:
        segments, widths = stick_segments(self._mujoco, self.model, self._data)
        figure = Figure((self.width / 100, self.height / 100), dpi=100)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        middle = float(self._data.xpos[1, 0])
        reach = REACH
        axes.set_xlim(middle - reach, middle + reach)
        axes.set_ylim(LOW, max(HIGH, LOW + 2 * reach * self.height / self.width))
        axes.set_axis_off()
        axes.axhline(0, color="#6b6b6b", linewidth=1)
        # Every metre, so that motion shows
        for mark in np.arange(np.floor(middle - reach), np.ceil(middle + reach) + 1):
            axes.plot([mark, mark], [LOW, 0], color="#6b6b6b", linewidth=0.8)
            axes.text(mark + 0.03, LOW + 0.02, f"{mark:g} m", fontsize=6, color="#6b6b6b")
        if goal is not None:
            # How far away in y doesn't show
            axes.plot([goal[0]], [0.25], marker="o", markersize=10, color=GREEN)
        pixels_per_metre = self.width / (2 * reach)
        axes.add_collection(
            LineCollection(
                list(segments),
                linewidths=widths * pixels_per_metre * 0.72,
                colors="#D55E00",
                capstyle="round",
            )
        )
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


@lru_cache(maxsize=1)
def painter_of(family: Any) -> MujocoPainter:
    """Return the painter of a family, kept for its next picture.

    Opening a renderer takes longer than drawing.
    """
    painter = MujocoPainter(family, 200, 150)
    atexit.register(painter.close)  # before the library that draws is gone
    return painter


def lengthen_floor(model: Any, mujoco: Any) -> None:
    """Make the floor of a robot's model so long that no robot leaves it, its pattern unchanged.

    For drawings only.
    """
    floor = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, "floor")
    if floor >= 0 and model.geom_matid[floor] >= 0:
        model.mat_texrepeat[model.geom_matid[floor]] *= FLOOR / model.geom_size[floor, :2]
        model.geom_size[floor, :2] = FLOOR


def stick_segments(
    mujoco: Any, model: Any, data: Any, plane: tuple[int, int] = (0, 2)
) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes of a model's capsules and spheres, seen from the side: ends [geoms, 2, (x,
    z)] in m, and thickness [geoms] in m.

    Args:
        plane: (0, 1) for the view from above, whose ends are (x, y).
    """
    shown = [
        i
        for i in range(model.ngeom)
        if model.geom_type[i] in (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_SPHERE)
    ]
    segments = np.zeros((len(shown), 2, 2))
    for at, i in enumerate(shown):
        half = model.geom_size[i, 1] if model.geom_type[i] == mujoco.mjtGeom.mjGEOM_CAPSULE else 0.0
        axis = data.geom_xmat[i].reshape(3, 3)[:, 2] * half  # a capsule lies along its own z axis
        segments[at] = np.stack([data.geom_xpos[i] - axis, data.geom_xpos[i] + axis])[:, plane]
    return segments, 2 * model.geom_size[shown, 0]
