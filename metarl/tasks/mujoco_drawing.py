"""Frames of MuJoCo robots, by MuJoCo's renderer where EGL is there (no display is needed), else as stick figures by matplotlib."""

import atexit
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from metarl.tasks.mujoco_models import import_mujoco, load_model

__all__ = ["MujocoPainter", "painter_of", "stick_segments"]

CAMERA = {"distance": 4.0, "elevation": -15.0, "azimuth": 90.0, "height": 0.8}  # from the side, which is where the planar robots move
LOW, HIGH, REACH = -0.2, 2.0, 1.6  # m: what a stick figure shows of height, and to both sides of the torso


class MujocoPainter:
    """Draws a family's robots as images; close it when done.

    Args:
        family: a `MujocoFamily`, whose robot is drawn.
        width, height: of an image, in pixels.
        how: "renderer" (MuJoCo's, through EGL), "sticks" (capsules' axes, projected on the x-z plane), or "auto", the first that works.

    Attributes:
        how: "renderer" or "sticks".

    Raises:
        ValueError: no renderer works here and `how` asks for it.
    """

    def __init__(self, family: Any, width: int = 320, height: int = 240, how: Literal["auto", "renderer", "sticks"] = "auto"):
        if how not in ("auto", "renderer", "sticks") or min(width, height) < 16:
            raise ValueError(f"how is auto, renderer or sticks, at 16 pixels or more; not {how!r} at {width} x {height}.")
        self._mujoco = import_mujoco(family.id)
        self.family, self.width, self.height = family, width, height
        self.model = load_model(family.robot.xml, textures=True)
        self._data = self._mujoco.MjData(self.model)
        self._renderer: _Renderer | None = None
        if how != "sticks":
            try:
                self._renderer = _Renderer(self._mujoco, self.model, width, height)
            except Exception as error:  # whatever a missing driver or library raises
                if how == "renderer":
                    raise ValueError(
                        f"MuJoCo can't draw here without a display: EGL gave {type(error).__name__} ({error}). Install a driver with EGL "
                        "(Debian: apt-get install libegl1 libgl1-mesa-dri), or use how='sticks'."
                    ) from error
        self.how = "sticks" if self._renderer is None else "renderer"

    def __call__(self, state: Any, row: int = 0) -> np.ndarray:
        """The robot of `row` of `state`, as an image [height, width, 3] uint8, with the torso in the middle."""
        self._data.qpos[:] = state.position[row].cpu().numpy()
        self._data.qvel[:] = 0
        self._mujoco.mj_forward(self.model, self._data)
        return self._sticks() if self._renderer is None else self._renderer.draw(self._data)

    def close(self) -> None:
        """Release the renderer."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _sticks(self) -> np.ndarray:
        segments, widths = stick_segments(self._mujoco, self.model, self._data)
        figure = Figure((self.width / 100, self.height / 100), dpi=100)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        middle, reach = float(self._data.xpos[1, 0]), REACH
        axes.set_xlim(middle - reach, middle + reach)
        axes.set_ylim(LOW, max(HIGH, LOW + 2 * reach * self.height / self.width))
        axes.set_axis_off()
        axes.axhline(0, color="#6b6b6b", linewidth=1)
        for mark in np.arange(np.floor(middle - reach), np.ceil(middle + reach) + 1):  # every metre, so that motion shows
            axes.plot([mark, mark], [LOW, 0], color="#6b6b6b", linewidth=0.8)
            axes.text(mark + 0.03, LOW + 0.02, f"{mark:g} m", fontsize=6, color="#6b6b6b")
        pixels_per_metre = self.width / (2 * reach)
        axes.add_collection(LineCollection(list(segments), linewidths=widths * pixels_per_metre * 0.72, colors="#D55E00", capstyle="round"))
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


@lru_cache(maxsize=1)
def painter_of(family: Any) -> MujocoPainter:
    """The painter of a family, kept for its next picture: opening a renderer takes longer than drawing."""
    painter = MujocoPainter(family, 200, 150)
    atexit.register(painter.close)  # before the library that draws is gone
    return painter


def stick_segments(mujoco: Any, model: Any, data: Any) -> tuple[np.ndarray, np.ndarray]:
    """The axes of a model's capsules and spheres seen from the side: ends [geoms, 2, (x, z)] in m, and thickness [geoms] in m."""
    shown = [i for i in range(model.ngeom) if model.geom_type[i] in (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_SPHERE)]
    segments = np.zeros((len(shown), 2, 2))
    for at, i in enumerate(shown):
        half = model.geom_size[i, 1] if model.geom_type[i] == mujoco.mjtGeom.mjGEOM_CAPSULE else 0.0
        axis = data.geom_xmat[i].reshape(3, 3)[:, 2] * half  # a capsule lies along its own z axis
        segments[at] = np.stack([data.geom_xpos[i] - axis, data.geom_xpos[i] + axis])[:, [0, 2]]
    return segments, 2 * model.geom_size[shown, 0]


class _Renderer:
    """MuJoCo's renderer on an EGL context of its own, whatever MUJOCO_GL said when MuJoCo was imported."""

    def __init__(self, mujoco: Any, model: Any, width: int, height: int):
        from mujoco.egl import GLContext

        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        self._mujoco, self._model, self._size = mujoco, model, (height, width, 3)
        self._context = GLContext(width, height)
        self._context.make_current()
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._target = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FREE  # a tracking one would follow smoothly, so that frames depend on the last
        self._camera.distance, self._camera.elevation, self._camera.azimuth = CAMERA["distance"], CAMERA["elevation"], CAMERA["azimuth"]

    def draw(self, data: Any) -> np.ndarray:
        """An image [height, width, 3] of `data`."""
        mujoco = self._mujoco
        self._context.make_current()
        self._camera.lookat[:] = *data.xpos[1, :2], CAMERA["height"]
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._target)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(self._model, data, mujoco.MjvOption(), mujoco.MjvPerturb(), self._camera, everything, self._scene)
        mujoco.mjr_render(self._viewport, self._scene, self._target)
        image = np.zeros(self._size, np.uint8)
        mujoco.mjr_readPixels(image, None, self._viewport, self._target)
        return image[::-1].copy()  # OpenGL's first line is the lowest

    def close(self) -> None:
        """Free the context."""
        self._context.make_current()
        self._target.free()
        self._context.free()
