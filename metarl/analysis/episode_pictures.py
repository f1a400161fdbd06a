"""Pictures of recorded episodes: of one moment, and of a whole episode.

Where sub-policies take turns, a band below shows which acted when, each in a colour of its own.
"""

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils._pytree import tree_map

from metarl.core.capabilities import picture_of_path, pictures_of
from metarl.evaluation.recording import RecordedEpisode, Recording, shows_images

__all__ = [
    "BAND",
    "MOMENTS",
    "OPTION_COLOURS",
    "TILE",
    "beside",
    "episode_picture",
    "fit",
    "moment_picture",
    "with_options",
]

# Most pixels that a picture is high; mazes are a little smaller, so that they are shown as drawn
TILE = 160
MOMENTS = 4  # that a whole episode is shown by where it isn't a path
BETWEEN = (200, 200, 200)
BAND = 8  # pixels that the band of sub-policies is high
# Okabe and Ito 2008
OPTION_COLOURS = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)


def moment_picture(recording: Recording, episode: RecordedEpisode, moment: int) -> np.ndarray:
    """Return how `episode` stands after `moment` steps, with its path so far where it has one: [H,
    W, 3] uint8.

    Where observations are images and the family draws itself too, what the agent saw stands beside
    its picture.
    """
    return with_options(_moment_picture(recording, episode, moment), episode, moment)


def _moment_picture(recording: Recording, episode: RecordedEpisode, moment: int) -> np.ndarray:
    drawn = _drawn(recording, episode, moment)
    seen = fit(_latest(episode.observations, moment)) if episode.observations else None
    if drawn is None:
        assert seen is not None, "a recording has something to show"
        return seen
    return (
        beside([fit(drawn), seen])
        if seen is not None and episode.states is not None
        else fit(drawn)
    )


def episode_picture(recording: Recording, episode: RecordedEpisode) -> np.ndarray:
    """Return all of `episode` in one picture [H, W, 3] uint8.

    Its path, or moments from start to end side by side.
    """
    return with_options(_episode_picture(recording, episode), episode, episode.length)


def _episode_picture(recording: Recording, episode: RecordedEpisode) -> np.ndarray:
    if episode.states is not None:
        path = picture_of_path(
            recording.distribution, recording.tasks[episode.task], episode.states, episode.length
        )
        if path is not None:
            return fit(path.numpy())
    moments = np.unique(np.linspace(0, episode.length, MOMENTS).round().astype(int)).tolist()
    only = shows_images(recording.distribution) and _drawn(recording, episode, 0) is None
    pictures = [
        _latest(episode.observations, moment) if only else _drawn(recording, episode, moment)
        for moment in moments
    ]
    shown = [fit(picture, TILE * 2 // 3) for picture in pictures if picture is not None]
    return beside(shown + [np.full_like(shown[0], 255)] * (MOMENTS - len(shown)))


def with_options(picture: np.ndarray, episode: RecordedEpisode, moment: int) -> np.ndarray:
    """Return the picture above a band that is coloured by the sub-policies of the steps before
    `moment`; as it is where there are none.
    """
    if episode.options is None:
        return picture
    steps = np.arange(picture.shape[1]) * episode.length // picture.shape[1]
    colours = np.array(OPTION_COLOURS, np.uint8)[episode.options[steps] % len(OPTION_COLOURS)]
    band = np.where((steps < moment)[:, None], colours, np.uint8(235))
    gap = np.full((2, *band.shape), 255, np.uint8)
    return np.concatenate([picture, gap, np.broadcast_to(band, (BAND, *band.shape))])


def fit(picture: np.ndarray, height: int = TILE) -> np.ndarray:
    """Return the picture at most `height` pixels high.

    Small ones as many whole times larger as fit.
    """
    rows, columns = picture.shape[:2]
    if rows <= height:
        return picture.repeat(height // rows, 0).repeat(height // rows, 1)
    return np.asarray(
        Image.fromarray(picture).resize(
            (max(1, round(columns * height / rows)), height), Image.Resampling.LANCZOS
        )
    )


def beside(pictures: list[np.ndarray], gap: int = 2) -> np.ndarray:
    """Pictures in a row, a thin line between them, the lower ones in the middle."""
    height = max(len(picture) for picture in pictures)
    width = sum(picture.shape[1] for picture in pictures) + gap * (len(pictures) - 1)
    row = np.full((height, width, 3), BETWEEN, dtype=np.uint8)
    left = 0
    for picture in pictures:
        above = (height - len(picture)) // 2
        row[above : above + len(picture), left : left + picture.shape[1]] = picture
        left += picture.shape[1] + gap
    return row


def _drawn(recording: Recording, episode: RecordedEpisode, moment: int) -> np.ndarray | None:
    """Return what the environment or its family draws of a moment.

    None where only observations can be shown.
    """
    if episode.pictures:
        return _latest(episode.pictures, moment)
    if episode.states is None:
        return None
    distribution = recording.distribution
    task = recording.tasks[episode.task]
    picture = picture_of_path(distribution, task, episode.states, moment)
    if picture is not None:
        return picture.numpy()
    state = tree_map(lambda tensor: tensor[moment : moment + 1], episode.states)
    pictures = pictures_of(distribution, task, state)
    return None if pictures is None else pictures[0].numpy()


def _latest(kept: dict[int, Tensor], moment: int) -> np.ndarray:
    """Return the picture kept of `moment`, or of the last one before it."""
    return kept[max(kept_moment for kept_moment in kept if kept_moment <= moment)].numpy()
