"""Scaled models.

What is scaled, what follows, what MuJoCo refuses, and what is said where it isn't installed.
"""

import pickle
import sys

import mujoco
import numpy as np
import pytest

import metarl
from metarl.tasks.mujoco import models as mujoco_models
from metarl.tasks.mujoco.models import (
    WALL_HEIGHT,
    ModelStore,
    Wall,
    asset,
    check_factors,
    load_model,
    scaled_model,
    walled_models,
)

FIELDS = ("body_mass", "body_inertia", "dof_damping", "geom_friction", "actuator_gear")


@pytest.mark.parametrize("xml", ["half_cheetah.xml", "hopper.xml", "walker2d_v5.xml", "ant.xml"])
def test_leaving_textures_out_changes_no_physics(xml):
    whole = load_model(xml, textures=True)
    plain = load_model(xml)
    assert plain.nbuffer < whole.nbuffer / 10
    for name in (
        *FIELDS,
        "body_pos",
        "body_ipos",
        "geom_size",
        "dof_armature",
        "jnt_range",
        "geom_solref",
        "dof_invweight0",
        "qpos0",
    ):
        assert np.array_equal(getattr(whole, name), getattr(plain, name)), name
    assert (whole.opt.timestep, whole.opt.integrator) == (plain.opt.timestep, plain.opt.integrator)


def test_each_factor_scales_its_own_field_and_the_base_stays():
    base = load_model("half_cheetah.xml")
    data = mujoco.MjData(base)
    before = {name: getattr(base, name).copy() for name in FIELDS}
    for i, name in enumerate(FIELDS):
        factors = np.ones(5)
        factors[i] = 1.5
        model = scaled_model(base, data, factors)
        for other in FIELDS:
            assert np.array_equal(
                getattr(model, other), before[other] * (1.5 if other == name else 1.0)
            ), (name, other)
            assert np.array_equal(getattr(base, other), before[other])


def test_what_mujoco_derives_is_computed_anew():
    base = load_model("hopper.xml")
    heavier = scaled_model(base, mujoco.MjData(base), np.array([2.0, 2.0, 1.0, 1.0, 1.0]))
    assert np.allclose(heavier.body_subtreemass, 2 * base.body_subtreemass)
    assert np.allclose(heavier.body_invweight0[1:, 0] * 2, base.body_invweight0[1:, 0], rtol=0.5)
    assert (heavier.dof_invweight0 < base.dof_invweight0).all()


def test_a_store_builds_each_model_once_and_forgets_old_ones():
    store = ModelStore("hopper.xml")
    factors = np.random.default_rng(0).uniform(0.5, 2, (4, 5))
    first = store(factors)
    again = store(factors[::-1])
    assert [model is other for model, other in zip(first, again[::-1], strict=True)] == [True] * 4
    assert len({id(model) for model in first}) == 4
    store(np.random.default_rng(1).uniform(0.5, 2, (400, 5)))
    renewed = store(factors)
    assert all(
        np.array_equal(model.body_mass, old.body_mass)
        for model, old in zip(renewed, first, strict=True)
    )
    assert len(store._models) < 20
    assert np.array_equal(pickle.loads(pickle.dumps(store)).base.body_mass, store.base.body_mass)


def test_walls_stand_on_the_floor_and_stop_what_meets_them():
    plain = load_model("ant.xml")
    near, far = walled_models(
        "ant.xml",
        [[Wall(2.0, 0.0, 0.25, 3.0)], [Wall(9.0, 0.0, 0.25, 3.0), Wall(0.0, 9.0, 1.0, 1.0)]],
    )
    assert near.ngeom == far.ngeom == plain.ngeom + 2
    assert (near.narena, near.nbuffer) == (far.narena, far.nbuffer), "one MjData serves both"
    assert near.geom_pos[1].tolist() == [2.0, 0.0, WALL_HEIGHT / 2]
    assert near.geom_size[1].tolist() == [0.25, 3.0, WALL_HEIGHT / 2]
    assert near.geom_pos[2, 2] + near.geom_size[2, 2] < 0, "what only fills up lies below the floor"
    reached = []
    for model in (near, far):
        data = mujoco.MjData(model)
        data.qvel[0] = 10.0
        mujoco.mj_step(model, data, 100)
        reached.append(data.qpos[0])
    assert reached[0] < 1.75 - 0.25 < 2.5 < reached[1]
    for name in (
        "body_mass",
        "body_inertia",
        "dof_damping",
        "actuator_gear",
        "qpos0",
        "dof_invweight0",
    ):
        assert np.array_equal(getattr(near, name), getattr(plain, name)), name


def test_a_file_that_mujoco_refuses_gets_a_sentence_with_its_words(tmp_path):
    bad = tmp_path / "bad.xml"
    bad.write_text(
        '<mujoco><worldbody><body><joint type="hinge"/><inertial pos="0 0 0"'
        ' mass="-1"/></body></worldbody></mujoco>'
    )
    with pytest.raises(ValueError, match=r"MuJoCo refuses the model .*bad.xml: .*mass"):
        load_model(str(bad))
    with pytest.raises(
        ValueError, match=r"MuJoCo refuses the model .*gone.xml: .*(exist|open|find)"
    ):
        load_model(str(tmp_path / "gone.xml"))
    assert asset("ant.xml").exists()


def test_factors_that_mujoco_cannot_simulate_get_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError,
        match=(
            r"Cheetah: MuJoCo can't simulate mass × .*(unstable|huge).*choose low and high nearer"
            r" to 1"
        ),
    ):
        check_factors("Cheetah", "half_cheetah.xml", 1e-4, 1e4)
    with pytest.raises(
        ValueError, match=r"weighs less than MuJoCo takes.*choose low and high nearer to 1"
    ):
        check_factors("Cheetah", "half_cheetah.xml", 1e-17, 1.0)
    check_factors("Cheetah", "half_cheetah.xml", 0.5, 2.0)
    assert not list(tmp_path.iterdir())  # MuJoCo's log file among them
    assert mujoco.get_mju_user_warning() is None


def test_without_mujoco_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name == "mujoco" or name.startswith("mujoco.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mujoco", None)
    for id in ("HalfCheetahPhysics-v0", "AntGoal-radius3-h200-v0"):
        with pytest.raises(ValueError, match=rf"{id} needs MuJoCo.*pip install -e '\.\[mujoco\]'"):
            metarl.make(id)
    assert mujoco_models.FACTORS == ("mass", "inertia", "damping", "friction", "gear")
