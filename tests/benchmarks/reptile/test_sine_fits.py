"""The figure of sine regression: what is drawn is what an adapter predicts."""

import numpy as np
import torch

from benchmarks.reptile.figures import fit_wave, fits_figure
from metarl.tasks.supervised.sine_regression import SineRegression


class Remembering:
    """Predicts the number of steps taken, whatever the input."""

    def __init__(self, points=10):
        self.points = points

    def begin(self, support, steps, rng):
        assert support.inputs.shape == (1, self.points, 1)
        return 0

    def step(self, state):
        return state + 1

    def predict(self, state, inputs, transductive=True):
        return torch.full((*inputs.shape[:2], 1), float(state))


def test_predictions_are_those_after_the_steps_asked_for():
    fits = fit_wave(Remembering(), SineRegression(), 2, 5, steps=(0, 3, 7))
    assert {step: set(values) for step, values in fits.after.items()} == {
        0: {0.0},
        3: {3.0},
        7: {7.0},
    }
    wave = SineRegression().sample(3, "test", 5)[2]
    assert np.allclose(
        fits.wave, float(wave.amplitude) * np.sin(fits.x + float(wave.phase)), atol=1e-5
    )
    for x, y in fits.shown:
        assert np.isclose(fits.wave[np.abs(fits.x - x).argmin()], y, atol=1e-5)


def test_a_panel_for_each_label():
    fits = fit_wave(Remembering(), SineRegression(), 0, 0)
    figure = fits_figure({"one": fits, "other": fits}, title="A wave", note="n = 1 wave; seed 0")
    assert figure.get_suptitle() == "A wave\nn = 1 wave; seed 0"
    looks = [(line.get_linestyle(), line.get_marker()) for line in figure.axes[0].lines]
    assert len(set(looks)) == len(looks), "series can be told apart in grey"
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["one", "other"]
    assert [line.get_label() for line in figure.axes[0].lines][-4:] == [
        "before",
        "after 1 step",
        "after 8 steps",
        "after 32 steps",
    ]
    single = fits_figure({"one": fit_wave(Remembering(1), SineRegression(1), 0, 0)})
    assert [line.get_label() for line in single.axes[0].lines][1] == "1 point shown"
    assert [line.get_label() for line in figure.axes[0].lines][1] == "10 points shown"
