"""Rows stepped side by side.

As MuJoCo steps each alone, by any number of threads, and what a breakdown leaves.
"""

import pickle
from contextlib import contextmanager

import mujoco
import numpy as np
import pytest
import torch

from metarl.tasks.mujoco.models import load_model, scaled_model
from metarl.tasks.mujoco.simulator import Simulator

ROWS = 7


def made_rows(xml):
    """ROWS different models with a state and a control each."""
    base = load_model(xml)
    rng = np.random.default_rng(0)
    data = mujoco.MjData(base)
    models = [scaled_model(base, data, rng.uniform(0.7, 1.4, 5)) for _ in range(ROWS)]
    state = np.concatenate(
        [np.tile(base.qpos0, (ROWS, 1)), np.zeros((ROWS, base.nv))], 1
    ) + rng.uniform(-0.05, 0.05, (ROWS, base.nq + base.nv))
    return base, models, state, rng.uniform(-1, 1, (ROWS, base.nu))


@contextmanager
def threads(number):
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("contacts", [False, True])
@pytest.mark.parametrize("xml", ["half_cheetah.xml", "ant.xml"])
def test_each_row_moves_as_its_own_model_does_alone(xml, contacts):
    base, models, state, control = made_rows(xml)
    moved = Simulator(base, 5).step(models, state, control, contacts)
    for i, model in enumerate(models):
        data = mujoco.MjData(model)
        data.qpos[:] = state[i, : model.nq]
        data.qvel[:] = state[i, model.nq :]
        data.ctrl[:] = control[i]
        mujoco.mj_step(model, data, nstep=5)
        assert np.array_equal(moved.state[i], np.concatenate([data.qpos, data.qvel]))
        if contacts:
            mujoco.mj_rnePostConstraint(model, data)
            assert np.array_equal(moved.torso[i], data.xpos[1, :2])
            assert moved.contact[i] == np.square(np.clip(data.cfrc_ext, -1, 1)).sum()
    assert moved.sound.all()
    assert (moved.torso is not None) == (moved.contact is not None) == contacts


@pytest.mark.parametrize("contacts", [False, True])
def test_threads_change_nothing(contacts):
    base, models, state, control = made_rows("ant.xml")
    simulator = Simulator(base, 5)
    moved = []
    for number in (1, 2, 3, 10, 1):
        with threads(number):
            moved.append(simulator.step(models, state, control, contacts))
    for other in moved[1:]:
        for name, first, second in zip(moved[0]._fields, moved[0], other, strict=True):
            assert np.array_equal(first, second), name


def test_what_came_before_and_what_stands_beside_change_nothing():
    base, models, state, control = made_rows("ant.xml")
    simulator = Simulator(base, 5)
    wanted = simulator.step(models, state, control).state
    simulator.step(models[::-1], state + 0.3, -control)
    assert np.array_equal(simulator.step(models, state, control).state, wanted)
    assert np.array_equal(simulator.step(models[2:3], state[2:3], control[2:3]).state, wanted[2:3])
    assert np.array_equal(
        simulator.step([models[2]] * ROWS, state[[2] * ROWS], control[[2] * ROWS]).state,
        wanted[[2] * ROWS],
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("contacts", [False, True])
def test_a_row_that_breaks_down_stays_where_it_was(contacts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log file
    base, models, state, control = made_rows("half_cheetah.xml")
    models[3] = scaled_model(base, mujoco.MjData(base), np.array([1e-6, 1e-6, 1.0, 1.0, 1e6]))
    simulator = Simulator(base, 5)
    for _ in range(20):
        moved = simulator.step(models, state, control, contacts)
        if not moved.sound.all():
            break
        state = moved.state
    assert moved.sound.tolist() == [True, True, True, False, True, True, True]
    assert np.array_equal(moved.state[3], state[3])
    assert not np.array_equal(moved.state[2], state[2])
    assert np.isfinite(moved.state).all()


def test_it_can_be_sent_to_another_process():
    base, models, state, control = made_rows("hopper.xml")
    simulator = Simulator(base, 4)
    again = pickle.loads(pickle.dumps(simulator))
    assert np.array_equal(
        again.step(models, state, control).state, simulator.step(models, state, control).state
    )
