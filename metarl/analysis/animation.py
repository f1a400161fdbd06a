"""Recorded episodes in motion.

All tasks and episodes of the sheet play side by side, each until its end, as GIF or MP4.
"""

import io
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from metarl.analysis.contact_sheet import Grid, caption, chosen_episodes, labels_of, lay_out
from metarl.analysis.episode_pictures import moment_picture
from metarl.evaluation.recording import Recording

__all__ = [
    "FORMATS",
    "MOST_BYTES",
    "MOST_FRAMES",
    "animation_bytes",
    "check_format",
    "frames",
    "gif_bytes",
    "mp4_bytes",
    "shown_moments",
]

FORMATS = ("gif", "mp4")
MOST_FRAMES = 120
MOST_BYTES = 2_000_000  # of a GIF; a larger one is made again with every second frame
# a frame, and the last one
FRAME_SECONDS = 0.1
PAUSE_SECONDS = 2.0


def check_format(format: str) -> None:
    """Raise ValueError unless animations can be written in this format here."""
    if format not in FORMATS:
        raise ValueError(f"There is no animation format {format!r}; choose {' or '.join(FORMATS)}.")
    if format == "mp4":
        _ffmpeg()


def shown_moments(recording: Recording) -> list[int]:
    """Return the moments that the animation shows, from 0 to the end of the longest episode,
    equally far apart.
    """
    longest = max(episode.length for episodes in recording.episodes for episode in episodes)
    every = -(-longest // (MOST_FRAMES - 1))
    return [*range(0, longest, every), longest]


def frames(recording: Recording, title: str = "") -> list[np.ndarray]:
    """Return one picture [H, W, 3] uint8 for each of `shown_moments`.

    An episode that is over stands still.
    """
    columns = chosen_episodes(recording)
    labels = labels_of(recording)
    latest: dict[tuple[int, int], tuple[int, np.ndarray]] = {}

    def cell(task: int, number: int, moment: int) -> tuple[np.ndarray, list[str]] | None:
        if number >= len(recording.episodes[task]):
            return None
        episode = recording.episodes[task][number]
        now = min(moment, episode.length)
        if latest.get((task, number), (-1,))[0] != now:
            latest[task, number] = (now, moment_picture(recording, episode, now))
        return latest[task, number][1], caption(episode, now)

    made = []
    for moment in shown_moments(recording):
        grid: Grid = [
            [cell(task, number, moment) for number in columns]
            for task in range(len(recording.episodes))
        ]
        made.append(lay_out(grid, columns, title, labels))
    return made


def animation_bytes(pictures: list[np.ndarray], format: str) -> bytes:
    """Return the frames as a file of the given format.

    Raises:
        ValueError: unknown format, or what writes it isn't installed.
    """
    check_format(format)
    return gif_bytes(pictures) if format == "gif" else mp4_bytes(pictures)


def gif_bytes(pictures: list[np.ndarray]) -> bytes:
    """Return the frames as a GIF that repeats for ever.

    Fewer of them where it would exceed MOST_BYTES, the first and the last always.
    """
    paint = _Paint(
        [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, 4).round().astype(int))]
    )
    painted = [paint.image(picture) for picture in pictures]
    every = 1
    while True:
        kept = [*painted[:-1:every], painted[-1]]
        milliseconds = [round(1000 * FRAME_SECONDS * every)] * (len(kept) - 1) + [
            round(1000 * PAUSE_SECONDS)
        ]
        stream = io.BytesIO()
        kept[0].save(
            stream, "GIF", save_all=True, append_images=kept[1:], duration=milliseconds, loop=0
        )
        if stream.tell() <= MOST_BYTES or len(kept) <= 2:
            return stream.getvalue()
        every *= 2


def mp4_bytes(pictures: list[np.ndarray]) -> bytes:
    """Return the frames as an MP4 (H.264).

    Raises:
        ValueError: imageio-ffmpeg isn't installed.
    """
    ffmpeg = _ffmpeg()
    height, width = pictures[0].shape[:2]
    pause = [pictures[-1]] * round(PAUSE_SECONDS / FRAME_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "animation.mp4")
        writer = ffmpeg.write_frames(
            str(file),
            (width, height),
            fps=1 / FRAME_SECONDS,
            macro_block_size=2,
            ffmpeg_log_level="error",
        )
        writer.send(None)
        for picture in pictures + pause:
            writer.send(np.ascontiguousarray(picture))
        writer.close()
        return file.read_bytes()


class _Paint:
    """256 colours.

    The most frequent of some pictures exactly, so that plain areas keep their colour, and others by
    median cut.
    """

    def __init__(self, pictures: list[np.ndarray]):
        colours, counts = np.unique(
            np.concatenate([_numbers(picture).ravel() for picture in pictures]), return_counts=True
        )
        self.frequent = np.sort(colours[counts.argsort()[::-1][:96]])
        exact = np.stack([self.frequent >> 16, self.frequent >> 8 & 255, self.frequent & 255], 1)
        others = (
            Image.fromarray(np.concatenate(pictures)).quantize(256 - len(exact)).getpalette() or []
        )
        self.palette = Image.new("P", (1, 1))
        self.palette.putpalette([*exact.flatten().tolist(), *others][:768])

    def image(self, picture: np.ndarray) -> Image.Image:
        """Return the picture in these colours."""
        near = Image.fromarray(picture).quantize(palette=self.palette, dither=Image.Dither.NONE)
        numbers = _numbers(picture)
        place = self.frequent.searchsorted(numbers).clip(max=len(self.frequent) - 1)
        indices = np.where(self.frequent[place] == numbers, place, np.asarray(near)).astype(
            np.uint8
        )
        painted = Image.frombytes("P", near.size, indices.tobytes())
        painted.putpalette(self.palette.getpalette() or [])
        return painted


def _numbers(picture: np.ndarray) -> np.ndarray:
    """Return one number [H, W] for each pixel's colour."""
    wide = picture.astype(np.int64)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _ffmpeg() -> Any:
    try:
        return import_module("imageio_ffmpeg")
    except ImportError as error:
        raise ValueError(
            "MP4 needs imageio-ffmpeg: `pip install -e '.[video]'` in metarl's folder, or choose"
            " gif."
        ) from error
