"""The figure of sine regression (Nichol et al. 2018, figure 1): a wave, the points shown of it, and what networks make of them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure

from metarl.analysis.figure_style import COLOURS, DASHES, legend_below
from metarl.core.seeding import torch_generator
from metarl.learners.initialisation.adapter import Adapter
from metarl.tasks.supervised.sine_regression import SineRegression

__all__ = ["Fits", "fit_wave", "fits_figure"]


class Fits(NamedTuple):
    """One wave, learned from a few points."""

    x: np.ndarray  # [50]
    wave: np.ndarray  # [50]
    shown: np.ndarray  # [points, 2] x and y
    after: dict[int, np.ndarray]  # inner steps -> predictions [50]


@torch.no_grad()
def fit_wave(adapter: Adapter, distribution: SineRegression, task: int, seed: int, steps: tuple[int, ...] = (0, 1, 8, 32)) -> Fits:
    """Adapt to the test wave number `task` of those that `seed` names, and predict after each number of inner `steps`."""
    tasks = distribution.sample(task + 1, "test", seed)[task].to("cpu", torch.float32)
    support = distribution.support(tasks, torch_generator(seed, "support"))
    query = distribution.query(tasks, torch_generator(seed, "query"))
    state, after = adapter.begin(support, max(steps), torch_generator(seed, "adapter")), {}
    for step in range(max(steps) + 1):
        state = adapter.step(state) if step else state
        if step in steps:
            after[step] = adapter.predict(state, query.inputs)[0, :, 0].numpy()
    shown = torch.cat([support.inputs[0], support.targets[0]], 1).numpy()
    return Fits(query.inputs[0, :, 0].numpy(), query.targets[0, :, 0].numpy(), shown, after)


def fits_figure(fits: Mapping[str, Fits]) -> Figure:
    """A panel for each label: predictions fade in as inner steps go by."""
    figure = Figure(figsize=(3.2 * len(fits), 3.2), layout="constrained")
    panels = figure.subplots(1, len(fits), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (label, fit) in zip(panels, fits.items(), strict=True):
        axes.plot(fit.x, fit.wave, color="black", linewidth=1.5, label="wave")
        points = "1 point shown" if len(fit.shown) == 1 else f"{len(fit.shown)} points shown"
        axes.plot(*fit.shown.T, linestyle="", marker="^", color="black", markersize=6, label=points)
        for i, (step, predicted) in enumerate(fit.after.items()):
            dash, width = DASHES[(3, 0, 1, 2, 4, 5)[i % 6]], 1.2 + 0.3 * i
            axes.plot(
                fit.x,
                predicted,
                color=COLOURS[i % len(COLOURS)],
                linestyle=dash,
                linewidth=width,
                label=(f"after {step} step" + "s" * (step > 1)) if step else "before",
            )
        axes.set_title(label, loc="left", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("x")
    panels[0].set_ylabel("f(x)")
    handles, labels = panels[0].get_legend_handles_labels()
    legend_below(figure, dict(zip(labels, handles, strict=True)))
    return figure
