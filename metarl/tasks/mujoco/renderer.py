"""MuJoCo's renderer without a display.

An EGL context of its own, whatever MUJOCO_GL said when MuJoCo was imported.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Mark", "OffscreenRenderer"]


class Mark(NamedTuple):
    """A ball or a box that is no part of the model."""

    place: tuple[float, float, float]  # m, its middle
    size: float | tuple[float, float, float]  # m: a ball's radius, or half of a box's extents
    colour: tuple[float, float, float, float]  # red, green, blue and how solid it is, from 0 to 1


class OffscreenRenderer:
    """Draws one model as images from a camera that stands still; close it when done.

    Args:
        model: MuJoCo's model; the size of its offscreen buffer is set.
        width, height: of an image, in pixels.
        distance: m, from what the camera looks at. elevation, azimuth: of its view, in degrees.

    Raises:
        ValueError: EGL isn't there, in its own words.
    """

    def __init__(
        self, model: Any, width: int, height: int, distance: float, elevation: float, azimuth: float
    ):
        try:
            import mujoco
            from mujoco.egl import GLContext

            self._context = GLContext(width, height)
            self._context.make_current()
        except Exception as error:  # whatever a missing driver or library raises
            raise ValueError(
                f"MuJoCo can't draw here without a display: EGL gave {type(error).__name__}"
                f" ({error}). Install a driver with EGL (Debian: apt-get install libegl1"
                " libgl1-mesa-dri)."
            ) from error
        model.vis.global_.offwidth = width
        model.vis.global_.offheight = height
        self._mujoco = mujoco
        self._model = model
        self._size = (height, width, 3)
        self._scene = mujoco.MjvScene(model, maxgeom=1000)
        self._target = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        self._viewport = mujoco.MjrRect(0, 0, width, height)
        self._camera = mujoco.MjvCamera()
        # A tracking one would follow smoothly, so that frames depend on the last
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        self._camera.distance = distance
        self._camera.elevation = elevation
        self._camera.azimuth = azimuth

    def draw(
        self, data: Any, at: tuple[float, float, float], marks: Sequence[Mark] = ()
    ) -> np.ndarray:
        """Return an image [height, width, 3] uint8 of `data`.

        The camera looks at the place `at`, in m; `marks` are no part of the model.
        """
        mujoco = self._mujoco
        self._context.make_current()
        self._camera.lookat[:] = at
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._target)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(
            self._model,
            data,
            mujoco.MjvOption(),
            mujoco.MjvPerturb(),
            self._camera,
            everything,
            self._scene,
        )
        for mark in marks:
            kind = (
                mujoco.mjtGeom.mjGEOM_BOX
                if isinstance(mark.size, tuple)
                else mujoco.mjtGeom.mjGEOM_SPHERE
            )
            geom = self._scene.geoms[self._scene.ngeom]
            size = np.broadcast_to(mark.size, 3).astype(float)
            turn = np.eye(3).flatten()
            mujoco.mjv_initGeom(
                geom, kind, size, np.array(mark.place), turn, np.array(mark.colour, np.float32)
            )
            self._scene.ngeom += 1
        mujoco.mjr_render(self._viewport, self._scene, self._target)
        image = np.zeros(self._size, np.uint8)
        mujoco.mjr_readPixels(image, None, self._viewport, self._target)
        return image[::-1].copy()  # OpenGL's first line is the lowest

    def close(self) -> None:
        """Free the context."""
        self._context.make_current()
        self._target.free()
        self._context.free()
