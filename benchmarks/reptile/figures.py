"""The figure of sine regression (Nichol et al.

2018, figure 1), and the losses inside an inner loop.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from metarl.analysis.figure_style import GREY, headline, legend_below, look, plain
from metarl.core.seeding import torch_generator
from metarl.core.supervised import SupervisedDistribution
from metarl.learners.initialisation.adapter import Adapter
from metarl.tasks.supervised.sine_regression import SineRegression

__all__ = ["Fits", "InnerLosses", "fit_wave", "fits_figure", "inner_losses"]


class Fits(NamedTuple):
    """One wave, learned from a few points."""

    x: np.ndarray  # [50]
    wave: np.ndarray  # [50]
    shown: np.ndarray  # [points, 2] x and y
    after: dict[int, np.ndarray]  # inner steps -> predictions [50]


@torch.no_grad()
def fit_wave(
    adapter: Adapter,
    distribution: SineRegression,
    task: int,
    seed: int,
    steps: tuple[int, ...] = (0, 1, 8, 32),
) -> Fits:
    """Adapt to the test wave number `task` of those that `seed` names, and predict after each
    number of inner `steps`.
    """
    tasks = distribution.sample(task + 1, "test", seed)[task].to("cpu", torch.float32)
    support = distribution.support(tasks, torch_generator(seed, "support"))
    query = distribution.query(tasks, torch_generator(seed, "query"))
    state = adapter.begin(support, max(steps), torch_generator(seed, "adapter"))
    after = {}
    for step in range(max(steps) + 1):
        state = adapter.step(state) if step else state
        if step in steps:
            after[step] = adapter.predict(state, query.inputs)[0, :, 0].numpy()
    shown = torch.cat([support.inputs[0], support.targets[0]], 1).numpy()
    return Fits(query.inputs[0, :, 0].numpy(), query.targets[0, :, 0].numpy(), shown, after)


def fits_figure(fits: Mapping[str, Fits], *, title: str = "", note: str = "") -> Figure:
    """Draw a panel for each label: the wave as a broad pale line, and predictions as inner steps go
    by.

    Args:
        fits: by label, one wave as it was learned.
        title: over all panels. note: what is drawn, such as the seed.
    """
    columns = 1 if len(fits) == 1 else 2
    rows = -(-len(fits) // columns)
    figure = Figure(figsize=(0.8 + 3.6 * columns, 1.2 + 2.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, (label, fit) in zip(panels.flat, fits.items(), strict=False):
        plain(axes)
        _draw(axes, fit)
        axes.set_title(label, loc="left", fontsize=11)
    for axes in panels.flat[len(fits) :]:
        axes.set_axis_off()
    for axes in panels[-1]:
        axes.set_xlabel("x")
    for axes in panels[:, 0]:
        axes.set_ylabel("f(x)")
    legend_below(figure)
    headline(figure, title, note)
    return figure


def _draw(axes: Axes, fit: Fits) -> None:
    axes.plot(fit.x, fit.wave, color="#c8c8c8", linewidth=6, solid_capstyle="round", label="wave")
    points = "1 point shown" if len(fit.shown) == 1 else f"{len(fit.shown)} points shown"
    shown: dict[str, Any] = {
        "linestyle": "",
        "marker": "X",
        "markersize": 8,
        "markeredgecolor": "white",
    }
    axes.plot(*fit.shown.T, color=GREY, label=points, zorder=3, **shown)
    for i, (step, predicted) in enumerate(fit.after.items()):
        label = (f"after {step} step" + "s" * (step > 1)) if step else "before"
        axes.plot(
            fit.x,
            predicted,
            markersize=5,
            markevery=(2 * i, 8),
            linewidth=1.4,
            label=label,
            **look(i),
        )


class InnerLosses(NamedTuple):
    """The mean losses of one task after 0, 1, 2, ... inner steps."""

    support: np.ndarray  # [steps + 1] on the examples that the steps go down on
    query: np.ndarray  # [steps + 1] on those that are asked


@torch.no_grad()
def inner_losses(
    adapter: Adapter, distribution: SupervisedDistribution, task: int, seed: int, steps: int = 32
) -> InnerLosses:
    """Adapt to the test task number `task` of those that `seed` names, and take both losses before
    the first step and after each.

    Examples are those of `benchmarks.reptile.figures.fit_wave` for the same task and seed.
    """
    tasks = distribution.sample(task + 1, "test", seed)[task].to("cpu", torch.float32)
    support = distribution.support(tasks, torch_generator(seed, "support"))
    query = distribution.query(tasks, torch_generator(seed, "query"))
    state = adapter.begin(support, steps, torch_generator(seed, "adapter"))
    losses = np.zeros((2, steps + 1))
    for step in range(steps + 1):
        state = adapter.step(state) if step else state
        for row, examples in zip(losses, (support, query), strict=True):
            row[step] = float(
                distribution.loss(adapter.predict(state, examples.inputs), examples.targets)
                .double()
                .mean()
            )
    return InnerLosses(*losses)
