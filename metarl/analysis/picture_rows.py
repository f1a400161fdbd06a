"""Pictures in rows: how tasks look, and how an episode goes on."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from metarl.analysis.episode_pictures import fit, moment_picture
from metarl.core.task_distribution import check_split
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.evaluation.recording import RecordedEpisode, Recording

__all__ = ["Titled", "moments_of", "picture_rows", "task_pictures"]


class Titled(NamedTuple):
    """A picture [H, W, 3] uint8 and the line above it."""

    title: str
    picture: np.ndarray


def task_pictures(
    distribution: GymnasiumDistribution,
    split: str,
    count: int,
    actions: Sequence[int] = (),
    seed: int = 0,
) -> list[Titled]:
    """Return how the first `count` tasks of a split's list look, as their environments draw them,
    each with its name.

    Args:
        actions: what is played before the picture is taken; an episode that ends earlier is shown
            at its end. At the start if left out.
        seed: of the environments' noise, where they have any.

    Raises:
        ValueError: an unknown split, fewer tasks than asked for, or environments that draw nothing.
    """
    check_split(distribution, split)
    tasks = distribution.task_lists[split]
    if not 1 <= count <= len(tasks):
        raise ValueError(
            f"{distribution.id} has {len(tasks)} tasks in its split {split!r}; ask for 1 to"
            f" {len(tasks)}, not {count}."
        )
    return [
        Titled(
            f"{task:,}" if isinstance(task, int) else str(task),
            _view(distribution, task, actions, seed),
        )
        for task in tasks[:count]
    ]


def moments_of(recording: Recording, episode: RecordedEpisode, count: int = 6) -> list[Titled]:
    """At most `count` moments of an episode, from its start to its end; a moment that wasn't drawn
    shows the last that was.

    Raises:
        ValueError: fewer than two moments.
    """
    if count < 2:
        raise ValueError(
            "An episode is shown by its start and its end at least, so by 2 moments or more, not"
            f" {count}."
        )
    moments = np.unique(np.linspace(0, episode.length, count).round().astype(int)).tolist()
    return [
        Titled(f"step {moment}", moment_picture(recording, episode, moment)) for moment in moments
    ]


def picture_rows(rows: Mapping[str, Sequence[Titled]]) -> Figure:
    """Return a labelled row of pictures for each entry; shorter rows end in blanks.

    Raises:
        ValueError: no picture at all.
    """
    most = max((len(pictures) for pictures in rows.values()), default=0)
    if not most:
        raise ValueError("There is no picture to show.")
    figure = Figure(figsize=(0.4 + 1.35 * most, 0.2 + 1.55 * len(rows)), layout="constrained")
    for panels, (label, pictures) in zip(
        figure.subplots(len(rows), most, squeeze=False), rows.items(), strict=True
    ):
        for axes, titled in zip(panels, pictures, strict=False):
            axes.imshow(titled.picture)
            axes.set_title(titled.title, fontsize=8)
            axes.set_xticks([])
            axes.set_yticks([])
        for axes in panels[len(pictures) :]:
            axes.set_axis_off()
        panels[0].set_ylabel(label, fontsize=9)
    return figure


def _view(
    distribution: GymnasiumDistribution, task: Any, actions: Sequence[int], seed: int
) -> np.ndarray:
    """Return what the environment of `task` draws after `actions`."""
    env = distribution.make_env(task)
    try:
        env.reset(seed=seed)
        # Before any action, too: environments may note what they need to draw an end
        picture = env.render()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(np.asarray(action))
            if terminated or truncated:
                break
        if actions:
            picture = env.render()
    finally:
        env.close()
    if not isinstance(picture, np.ndarray):
        raise ValueError(
            f"The environments of {distribution.id} draw no pictures; make them with"
            ' render_mode="rgb_array".'
        )
    return fit(picture)
