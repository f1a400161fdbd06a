"""Losses inside an inner loop.

Of the examples learned from and of those asked, before the first step and after each.
"""

import numpy as np
import pytest

from benchmarks.reptile.figures import fit_wave, inner_losses
from metarl.learners.initialisation.reptile import Reptile, ReptileConfig
from metarl.learners.optimizers import SGD
from metarl.tasks.supervised.sine_regression import SineRegression

WAVES = SineRegression(5)


@pytest.fixture(scope="module")
def adapter():
    return Reptile(ReptileConfig(), WAVES).adapter(SGD(0.02))


def test_losses_are_those_of_the_fits(adapter):
    losses = inner_losses(adapter, WAVES, 2, 5, steps=6)
    fits = fit_wave(adapter, WAVES, 2, 5, steps=(0, 3, 6))
    assert losses.support.shape == losses.query.shape == (7,)
    for step, predicted in fits.after.items():
        assert losses.query[step] == pytest.approx(np.mean((predicted - fits.wave) ** 2), rel=1e-5)
        shown = np.interp(fits.shown[:, 0], fits.x, predicted)
        assert losses.support[step] == pytest.approx(
            np.mean((shown - fits.shown[:, 1]) ** 2), rel=1e-4
        )


def test_small_steps_go_down_on_the_examples_shown(adapter):
    small = inner_losses(Reptile(ReptileConfig(), WAVES).adapter(SGD(1e-3)), WAVES, 0, 0, steps=10)
    assert (np.diff(small.support) < 0).all()
