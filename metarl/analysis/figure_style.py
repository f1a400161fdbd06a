"""How figures look: readable in grey and by colour-blind readers, with n stated and nothing cut
off.

Colours are Okabe and Ito's (2008, yellow left out), ordered so that dark and light ones alternate.
Series also differ in dash, marker and filling, so that a print without colours can be read.
"""

import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation, Transform
from PIL import Image

from metarl.core.paths import as_path
from metarl.runs.store import write_file

__all__ = [
    "COLOURS",
    "DASHES",
    "GREY",
    "MARKERS",
    "count_of",
    "counted",
    "digits",
    "heading",
    "headline",
    "label_axes",
    "level_lines",
    "label_levels",
    "legend_below",
    "look",
    "new_axes",
    "plain",
    "save",
    "sideways",
    "within",
    "without_zero",
]

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (7, 2)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#6b6b6b"
NOTE_SIZE = 8.5


def look(i: int) -> dict[str, Any]:
    """Return matplotlib's settings for the i-th series.

    Colour, dash, marker, and a hollow marker for every other one.
    """
    colour = COLOURS[i % len(COLOURS)]
    return {
        "color": colour,
        "linestyle": DASHES[i % len(DASHES)],
        "marker": MARKERS[i % len(MARKERS)],
        "markerfacecolor": "white" if i % 2 else colour,
    }


def new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of `width` x `height` inches with one pair of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    plain(axes)
    return figure, axes


def plain(axes: Axes) -> None:
    """Take the frame's top and right away, and draw a light grid along the other axis."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Name both axes, in several lines where a name is longer than its axis."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    width, height = figure.get_size_inches() * (
        axes.get_position().width,
        axes.get_position().height,
    )
    axes.set_xlabel(_wrapped(x, 11 * width))
    axes.set_ylabel(_wrapped(y, 11 * height))


def heading(axes: Axes, title: str, note: str = "", *, lift: float = 6) -> None:
    """Write a title over the axes, and below it in small print what is drawn: n, seeds, kind of
    interval.

    Args:
        axes: which.
        title, note: the texts; long ones take several lines.
        lift: room in points that labels over the axes take.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    whole = figure.get_size_inches()[0]
    # Names of rows make the axes narrower than they are before the figure is laid out.
    names = max((len(label.get_text()) for label in axes.get_yticklabels()), default=0)
    width = min(whole * axes.get_position().width, whole - 0.08 * names - 0.15)
    note = _wrapped(note, 15.5 * width)
    if note:
        axes.annotate(
            note,
            (0, 1),
            (0, lift),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=NOTE_SIZE,
            color=GREY,
            va="bottom",
        )
        lift += 1.25 * NOTE_SIZE * (note.count("\n") + 1) + 3
    if title:
        axes.set_title(_wrapped(title, 11.5 * width), loc="left", fontsize=11, pad=lift)


def legend_below(
    figure: Figure, entries: Mapping[str, Any] | None = None, *, where: Any = "outside lower center"
) -> None:
    """Name the series below the axes, in as many columns as have room.

    Args:
        figure: which.
        entries: by label, what stands for a series; those of all axes if left out.
        where: matplotlib's word for the place.
    """
    if entries is None:
        named = (axes.get_legend_handles_labels() for axes in figure.axes)
        entries = {
            label: handle
            for handles, labels in named
            for handle, label in zip(handles, labels, strict=True)
        }
    if not entries:
        return
    longest = max(map(len, entries))
    columns = int(figure.get_size_inches()[0] * 14 / (longest + 8))
    columns = max(1, min(len(entries), columns))
    figure.legend(
        list(entries.values()), list(entries), frameon=False, loc=where, ncols=columns, fontsize=9
    )


def headline(figure: Figure, title: str, note: str = "") -> None:
    """Write a title and what is drawn over all panels of `figure`."""
    width = float(figure.get_size_inches()[0])
    lines = [_wrapped(title, 11.5 * width), _wrapped(note, 12.5 * width)]
    if any(lines):
        figure.suptitle("\n".join(filter(None, lines)), x=0.01, ha="left", fontsize=10)


def label_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Draw a horizontal line at each level, named at the right.

    Names of levels that lie close stand apart.
    """
    if not levels:
        return
    ordered = sorted(levels.items(), key=lambda level: level[1])
    level_lines(axes, levels)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    figure = axes.get_figure(root=True)
    assert figure is not None
    points = 72 * figure.get_size_inches()[1] * axes.get_position().height
    largest = max(abs(value) for value in levels.values())
    wanted = [(value - low) / (high - low) * points for _, value in ordered]
    words = [_wrapped(f"{name} {digits(value, largest)}", 20) for name, value in ordered]
    # What stands around the axes makes them lower than they are before the figure is laid out.
    gap = 17.0 * max(text.count("\n") + 1 for text in words)
    for text, (_, value), place, spot in zip(
        words, ordered, wanted, _apart(wanted, gap), strict=True
    ):
        axes.annotate(
            text,
            (1.0, value),
            (10, spot - place),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=9,
            arrowprops={
                "arrowstyle": "-",
                "color": GREY,
                "linewidth": 0.6,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )


def level_lines(axes: Axes, levels: Mapping[str, float]) -> None:
    """Draw a horizontal line at each level, without names.

    The same lines in every panel of a figure.
    """
    for i, value in enumerate(sorted(levels.values())):
        axes.axhline(value, color="black", linestyle=DASHES[1 + i % 3], linewidth=1.2)


def sideways(axes: Axes, i: int, count: int, points: float = 3.0) -> Transform:
    """Return the transform that sets series i of `count` apart from the others by so many points,
    on any scale.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    shift = points * (i - (count - 1) / 2) / 72
    return axes.transData + ScaledTranslation(shift, 0, figure.dpi_scale_trans)


def within(
    values: np.ndarray, possible: tuple[float | None, float | None] = (None, None)
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths [2, points] of intervals' two ends, which stop at the possible range.

    Args:
        values: [points, 3]: value, low and high.
        possible: the least and the greatest value there can be; None where there is no such end.

    Returns:
        (lengths [2, points], whether any interval was cut [points] bool).
    """
    low, high = (None if end is None else float(end) for end in possible)
    ends = (
        np.clip(values[:, 1:], low, high) if low is not None or high is not None else values[:, 1:]
    )
    return np.abs(ends - values[:, :1]).T, (ends != values[:, 1:]).any(1) & np.isfinite(
        values[:, 1:]
    ).all(1)


def count_of(numbers: Iterable[int]) -> str:
    """Return how many scores figures rest on, such as "n = 400" or "n = 20 to 400"."""
    counts = sorted({int(number) for number in numbers})
    if not counts:
        return ""
    return f"n = {counts[0]:,}" if len(counts) == 1 else f"n = {counts[0]:,} to {counts[-1]:,}"


def counted(numbers: Mapping[str, Iterable[int]]) -> tuple[dict[str, str], str]:
    """Return how many scores stand behind each series, said once or, where they differ, by each.

    Args:
        numbers: by label, how many scores each interval of a series rests on; none where a
            series has no interval.

    Returns:
        (each label as the legend has it, words for the note).
    """
    counts = {label: count_of(own) for label, own in numbers.items()}
    if len(set(counts.values())) == 1:
        return {label: label for label in counts}, next(iter(counts.values()))
    return {label: f"{label} ({words or 'no interval'})" for label, words in counts.items()}, ""


def without_zero(axes: Axes, which: str = "y") -> str:
    """Return words for the note where the axis of values, "y" or "x", doesn't hold 0.

    None where it does.
    """
    low, high = sorted(axes.get_ylim() if which == "y" else axes.get_xlim())
    name = "vertical" if which == "y" else "horizontal"
    return "" if low <= 0 <= high else f"the {name} axis doesn't begin at 0"


def digits(value: float, largest: float) -> str:
    """Return `value` with as many decimals as give `largest` four digits."""
    decimals = 3 if abs(largest) < 10 else 2 if abs(largest) < 100 else 1
    # The sign that axes have.
    return f"{value:.{decimals}f}".replace("-", "−")


def save(figure: Figure, file: str | Path) -> Path:
    """Write `figure` as PNG, SVG or PDF, by the file's ending, whole or not at all."""
    file = as_path(file)
    kind = file.suffix.lstrip(".").lower()
    if kind not in ("png", "svg", "pdf"):
        raise ValueError(f"A figure is saved as .png, .svg or .pdf, not {file.name!r}.")
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=150)
    if kind == "png":
        # No figure has transparency, and without it the file is a tenth smaller.
        drawn = Image.open(stream).convert("RGB")
        stream = io.BytesIO()
        drawn.save(stream, "PNG", optimize=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, stream.getvalue())
    return file


def _wrapped(text: str, letters: float) -> str:
    """Return `text` in as few lines as fit, about equally long, so that no word stands alone on the
    last.
    """
    return "\n".join(_even(line, max(12, int(letters))) for line in text.split("\n"))


def _even(line: str, letters: int) -> str:
    lines = textwrap.wrap(line, letters)
    narrowest = max(map(len, lines), default=0)
    while narrowest > 12 and len(textwrap.wrap(line, narrowest - 1)) == len(lines):
        narrowest -= 1
    return textwrap.fill(line, max(12, narrowest))


def _apart(places: Sequence[float], gap: float) -> list[float]:
    """Return `places` (ascending), moved as little as it takes for all to stand `gap` apart."""
    groups: list[list[float]] = []
    for place in places:
        groups.append([place])
        while len(groups) > 1 and _spread(groups[-2], gap)[-1] + gap > _spread(groups[-1], gap)[0]:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [spot for group in groups for spot in _spread(group, gap)]


def _spread(group: Sequence[float], gap: float) -> list[float]:
    """Return places `gap` apart around the middle of `group`."""
    middle = sum(group) / len(group)
    return [middle + gap * (i - (len(group) - 1) / 2) for i in range(len(group))]
