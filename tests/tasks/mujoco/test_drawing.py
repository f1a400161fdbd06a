"""Frames of robots.

Stick figures that stand where the robot is, MuJoCo's renderer where there is one, a sentence where
there isn't.
"""

import sys

import mujoco
import numpy as np
import pytest
import torch

import metarl
from metarl.core.seeding import torch_generator
from metarl.tasks.mujoco.drawing import MujocoPainter, painter_of, stick_segments
from metarl.tasks.mujoco.models import Wall, load_model

IDS = ("HalfCheetahPhysics-v0", "HopperPhysics-v0", "Walker2dPhysics-v0", "AntGoal-radius3-h200-v0")
INK = np.array([0xD5, 0x5E, 0x00])


@pytest.fixture
def no_egl(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco.egl", None)


def start(id):
    family = metarl.make(id)
    return family, family.reset(family.sample(2, "train", 0), torch_generator(0))[0]


def test_sticks_are_the_capsules_axes():
    model = load_model("hopper.xml")
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    segments, widths = stick_segments(mujoco, model, data)
    assert segments.shape == (4, 2, 2)
    torso = segments[0][segments[0][:, 1].argsort()]
    # From the file: 0.4 m long, centred 1.25 m up
    assert np.allclose(torso, [[0.0, 1.05], [0.0, 1.45]], atol=1e-6)
    assert widths[0] == pytest.approx(0.1)
    above, _ = stick_segments(mujoco, model, data, (0, 1))
    assert np.allclose(above[0], 0.0, atol=1e-6), "upright, it is a point from above"


@pytest.mark.parametrize("id", IDS)
def test_a_stick_figure_stands_on_the_floor_in_the_middle(id, no_egl):
    family, state = start(id)
    painter = MujocoPainter(family, 320, 240)
    assert painter.how == "sticks"
    moved = state._replace(position=state.position.clone())
    moved.position[1, 0] += 5.0
    image = painter(state)
    far = painter(moved, row=1)
    for shown in (image, far):
        assert (shown.shape, shown.dtype) == ((240, 320, 3), np.uint8)
        down, across = np.nonzero((np.abs(shown.astype(int) - INK) < 8).all(-1))
        assert len(down) > 200
        assert 60 < across.mean() < 260
        # The feet don't sink below the floor's line by more than they are thick
        assert down.max() <= 240 * (1 - 0.2 / 2.6) + 16
    assert not np.array_equal(image, far)
    painter.close()


def test_without_egl_asking_for_the_renderer_gets_a_sentence(no_egl):
    family, _ = start("HalfCheetahPhysics-v0")
    with pytest.raises(
        ValueError, match=r"can't draw here without a display: EGL gave .*how='sticks'"
    ):
        MujocoPainter(family, how="renderer")


def test_a_painter_draws_whatever_this_machine_has():
    family, state = start("HalfCheetahPhysics-v0")
    painter = MujocoPainter(family, 96, 64)
    first = painter(state)
    second = painter(state, row=1)
    assert painter.how in ("renderer", "sticks")
    assert first.shape == second.shape == (64, 96, 3)
    assert first.std() > 5
    assert not np.array_equal(first, second)
    assert np.array_equal(first, painter(state))
    painter.close()


@pytest.mark.parametrize("arguments", [{"how": "crayons"}, {"width": 3}])
def test_settings_that_make_no_image_are_refused(arguments):
    family, _ = start("HopperPhysics-v0")
    with pytest.raises(ValueError, match="how is auto, renderer or sticks, at 16 pixels or more"):
        MujocoPainter(family, **arguments)


def test_families_draw_themselves():
    family = metarl.make("HopperPhysics-v0", horizon=5)
    tasks = family.sample(2, "test", 0)
    state, _ = family.reset(tasks, torch_generator(0))
    pictures = family.render(tasks, state)
    assert (pictures.shape, pictures.dtype) == ((2, 150, 200, 3), torch.uint8)
    assert pictures.float().std() > 10
    assert painter_of(family) is painter_of(family)


def green(image):
    """Return where the goal's mark is, as (rows, columns)."""
    red, green, blue = image.astype(int).transpose(2, 0, 1)
    return np.nonzero((green > red + 40) & (green > blue + 10))


@pytest.mark.parametrize("how", ["auto", "sticks"])
def test_a_place_to_go_to_is_marked(how):
    family, state = start("AntGoal-radius3-h200-v0")
    painter = MujocoPainter(family, 200, 150, how=how)
    columns = [
        green(painter(state, 0, goal))[1].mean() for goal in ((-1.2, 0.0), (0.0, 0.0), (1.2, 0.0))
    ]
    assert columns[0] < columns[1] < columns[2]
    assert not np.array_equal(painter(state, 0, (1.0, 0.0)), painter(state, 0, (-1.0, 0.0)))
    painter.close()
    tasks = family.sample(2, "test", 0)
    assert family.goals_of(tasks) == [tuple(goal) for goal in tasks.goal.tolist()]
    assert metarl.make("AntPhysics-v0").goals_of(None) is None


def test_walls_are_drawn_around_their_middle():
    family, state = start("AntGoal-radius3-h200-v0")
    painter = MujocoPainter(family, 200, 150)
    if painter.how == "renderer":
        walls = [Wall(2.0, 3.0, 0.25, 2.0), Wall(-2.0, 3.0, 0.25, 2.0)]
        plain = painter(state, 0, (0.0, 0.0))
        walled = painter(state, 0, (0.0, 0.0), walls)
        assert green(plain)[0].mean() < green(walled)[0].mean(), (
            "the camera looks 3 m further up, at the middle of all walls"
        )
        changed = np.abs(painter(state, 0, (0.0, 0.0), walls[:1]).astype(int) - walled).sum(-1) > 30
        assert changed.any()
    painter.close()


@pytest.mark.parametrize("id", IDS[:3])
def test_no_robot_runs_off_its_floor(id):
    family, state = start(id)
    painter = MujocoPainter(family, 200, 150)
    far = state._replace(position=state.position.clone())
    far.position[:, 0] += 300.0
    near = painter(state)[-30:].astype(int)
    away = painter(far)[-30:].astype(int)
    painter.close()
    assert away.std() > 0.8 * near.std(), "squares, or the marks of metres, still pass below it"
