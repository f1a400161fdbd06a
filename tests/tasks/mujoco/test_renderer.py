"""MuJoCo's renderer without a display.

It looks where it is told to, and says what is missing where it can't draw.
"""

import re
import sys

import mujoco
import numpy as np
import pytest

from metarl.tasks.mujoco.renderer import Mark, OffscreenRenderer

BALL = """<mujoco><visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual><worldbody>
<body pos="1 2 3"><geom type="sphere" size="0.3" rgba="1 0 0 1"/></body></worldbody></mujoco>"""

NO_EGL = re.compile(  # all that may be said where there is none
    r"MuJoCo can't draw here without a display: EGL gave \w+ \(.*\)\. "
    r"Install a driver with EGL \(Debian: apt-get install libegl1 libgl1-mesa-dri\)\.",
    re.DOTALL,
)


def picture(at, marks=()):
    """Return what is drawn; nothing where there is no EGL, which is said in one sentence."""
    model = mujoco.MjModel.from_xml_string(BALL)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = None
    said = ""
    try:
        renderer = OffscreenRenderer(model, 64, 48, distance=3.0, elevation=0.0, azimuth=90.0)
    except ValueError as error:
        said = str(error)
    if renderer is None:
        assert NO_EGL.fullmatch(said)
        return None
    image = renderer.draw(data, at, marks)
    renderer.close()
    return image


def test_what_it_looks_at_is_in_the_middle():
    image = picture((1.0, 2.0, 3.0))
    if image is None:
        return
    assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)
    down, across = np.nonzero((image[..., 0] > 150) & (image[..., 1] < 100))
    assert len(down) > 20
    assert down.mean() == pytest.approx(23.5, abs=1.5)
    assert across.mean() == pytest.approx(31.5, abs=1.5)


def test_what_lies_higher_and_to_the_right_is_drawn_there():
    image = picture((0.5, 2.0, 2.5))
    if image is None:
        return
    down, across = np.nonzero(image[..., 0] > 150)
    assert down.mean() < 20
    assert across.mean() > 38


def test_marks_are_balls_and_boxes():
    blue = (0.0, 0.0, 1.0, 1.0)
    ball, box = (
        picture((1.0, 2.0, 3.0), [Mark((1.7, 2.0, 3.0), size, blue)])
        for size in (0.2, (0.2, 0.2, 0.6))
    )
    if ball is None or box is None:
        return
    heights = []
    for image in (ball, box):
        down, across = np.nonzero((image[..., 2] > 100) & (image[..., 0] < 60))
        assert across.mean() > 38
        heights.append(np.ptp(down))
    assert heights[1] > 2 * heights[0] > 8


def test_without_egl_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco.egl", None)
    with pytest.raises(ValueError, match=NO_EGL):
        OffscreenRenderer(
            mujoco.MjModel.from_xml_string(BALL), 64, 48, distance=3.0, elevation=0.0, azimuth=90.0
        )
