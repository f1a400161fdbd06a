"""Recorded episodes on one sheet.

A task a row, an episode a column, steps and return below each picture.
"""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from metarl.analysis.episode_pictures import episode_picture
from metarl.analysis.task_labels import task_label
from metarl.evaluation.recording import RecordedEpisode, Recording

__all__ = [
    "MOST_COLUMNS",
    "Grid",
    "caption",
    "chosen_episodes",
    "contact_sheet",
    "labels_of",
    "lay_out",
    "png_bytes",
]

MOST_COLUMNS = 6  # further episodes are left out, evenly
# pixels between pictures, and of a line of text, in the margin of a small one
MARGIN = 8
LINE = 15
SMALL_LINE = 12
BORDER = (215, 215, 215)
MINUS = "\N{MINUS SIGN}"

# By task and column: a picture and the lines below it
Grid = list[list[tuple[np.ndarray, list[str]] | None]]


def contact_sheet(recording: Recording, title: str = "") -> np.ndarray:
    """Return every task a row, every episode a column.

    [H, W, 3] uint8; of many episodes some, the first and the last among them.
    """
    columns = chosen_episodes(recording)
    grid: Grid = [
        [
            (
                (
                    episode_picture(recording, episodes[number]),
                    caption(episodes[number], episodes[number].length),
                )
                if number < len(episodes)
                else None
            )
            for number in columns
        ]
        for episodes in recording.episodes
    ]
    return lay_out(grid, columns, title, labels_of(recording))


def labels_of(recording: Recording) -> list[list[str]]:
    """Lines that tell which task each row shows."""
    return [
        task_label(recording.distribution, recording.tasks[i])
        for i in range(len(recording.episodes))
    ]


def chosen_episodes(recording: Recording) -> list[int]:
    """Return which episodes get a column."""
    most = max(len(episodes) for episodes in recording.episodes)
    return np.unique(np.linspace(0, most - 1, min(most, MOST_COLUMNS)).round().astype(int)).tolist()


def caption(episode: RecordedEpisode, moment: int) -> list[str]:
    """Two lines: how many steps, and the return by then; at the end also how the episode ended."""
    total = f"return {episode.rewards[:moment].sum():.2f}".replace("-", MINUS)
    if moment < episode.length:
        return [f"step {moment} of {episode.length}", total]
    cut = " (truncated)" if episode.truncated and not episode.success else ""
    steps = f"{episode.length} step{'s' if episode.length != 1 else ''}{cut}"
    return [steps, f"{total}, success" if episode.success else total]


def lay_out(
    grid: Grid, columns: list[int], title: str, labels: Sequence[Sequence[str]] = ()
) -> np.ndarray:
    """Put pictures on a white sheet: [H, W, 3] uint8, both sides even, as video needs.

    Args:
        grid: a row for each task. columns: each column's episode, counted from 0. title: above all.
        labels: lines for each row's margin, below the task's number.
    """
    cells = [cell for row in grid for cell in row if cell is not None]
    wide = max(110, *(picture.shape[1] for picture, _ in cells)) + MARGIN
    told = max((len(lines) for lines in labels), default=0)
    high = (
        max(max(picture.shape[0] for picture, _ in cells) + 2 * LINE, LINE + 2 + told * SMALL_LINE)
        + MARGIN
    )
    longest = max((_font(9).getlength(line) for lines in labels for line in lines), default=0.0)
    left = max(48, round(longest) + 2 * MARGIN)
    top = MARGIN + (LINE + 4 if title else 0) + LINE + 2
    needed = max(
        left + wide * len(columns) + MARGIN, round(_font(13).getlength(title)) + 2 * MARGIN
    )
    sheet = Image.new("RGB", (needed + needed % 2, (top + high * len(grid) + 1) // 2 * 2), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, "black", _font(13))
    for column, number in enumerate(columns):
        pen.text(
            (left + wide * column, top - LINE - 4), f"episode {number + 1}", "black", _font(11)
        )
    for task, row in enumerate(grid):
        pen.text((MARGIN, top + high * task), f"task {task + 1}", "black", _font(11))
        for i, line in enumerate(labels[task] if labels else ()):
            pen.text(
                (MARGIN, top + high * task + LINE + 2 + i * SMALL_LINE), line, "black", _font(9)
            )
        for column, cell in enumerate(row):
            if cell is None:
                continue
            picture, lines = cell
            x, y = left + wide * column, top + high * task
            pen.rectangle(
                (x - 1, y - 1, x + picture.shape[1], y + picture.shape[0]), outline=BORDER
            )
            sheet.paste(Image.fromarray(picture), (x, y))
            for i, line in enumerate(lines):
                pen.text((x, y + picture.shape[0] + 1 + i * (LINE - 2)), line, "black", _font(11))
    return np.asarray(sheet)


def png_bytes(picture: np.ndarray) -> bytes:
    """Return the picture [H, W, 3] as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG", optimize=True)
    return stream.getvalue()


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size
    )
