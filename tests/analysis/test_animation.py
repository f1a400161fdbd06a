import io
import sys

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from metarl.analysis import animation
from metarl.analysis.animation import (
    MOST_FRAMES,
    animation_bytes,
    check_format,
    frames,
    gif_bytes,
    shown_moments,
)
from metarl.analysis.contact_sheet import lay_out
from metarl.analysis.episode_pictures import moment_picture
from metarl.core.budget import Episodes
from tests.analysis.recorded_episodes import of_script
from tests.evaluation.test_recording import ASTRAY, STRAIGHT
from tests.evaluation.watched_agents import EAST, WEST


def read_gif(content):
    """Return its frames [H, W, 3] and how many milliseconds each stands."""
    image = Image.open(io.BytesIO(content))
    shown = []
    for i in range(image.n_frames):
        image.seek(i)
        shown.append((np.asarray(image.convert("RGB")), image.info["duration"]))
    return [picture for picture, _ in shown], [duration for _, duration in shown]


def test_every_step_has_its_frame_and_short_episodes_wait():
    recording = of_script([ASTRAY + STRAIGHT])
    astray, straight = recording.episodes[0]
    assert shown_moments(recording) == list(range(9))  # the longer episode's steps, and its start
    made = frames(recording, "Title")
    assert len(made) == 9
    for moment, frame in enumerate(made):
        cells = []
        for episode in (astray, straight):
            now = min(moment, episode.length)
            steps = (
                f"{episode.length} steps"
                if now == episode.length
                else f"step {now} of {episode.length}"
            )
            total = f"return {episode.rewards[:now].sum():.2f}".replace("-", "\N{MINUS SIGN}")
            cells.append(
                (
                    moment_picture(recording, episode, now),
                    [steps, total + ", success" * (now == episode.length)],
                )
            )
        np.testing.assert_array_equal(frame, lay_out([cells], [0, 1], "Title"))


def test_long_episodes_are_shown_in_even_strides_with_their_end():
    recording = of_script([[EAST, WEST] * 200], horizon=400, budget=Episodes(1, 0))
    moments = shown_moments(recording)
    assert len(moments) <= MOST_FRAMES
    assert set(np.diff(moments[:-1])) == {4}
    assert (moments[0], moments[-1]) == (0, 400)


def test_a_gif_shows_the_frames_and_rests_on_the_last():
    made = frames(of_script([ASTRAY + STRAIGHT]))
    pictures, durations = read_gif(gif_bytes(made))
    assert durations == [100] * 8 + [2000]
    for picture, frame in zip(pictures, made, strict=True):
        assert np.abs(picture.astype(int) - frame).mean() < 0.5
        assert ((picture == 255).all(-1) >= (frame == 255).all(-1)).all()  # white stays white


def test_a_gif_that_would_be_large_has_fewer_frames(monkeypatch):
    rng = np.random.default_rng(0)
    noise = [rng.integers(256, size=(40, 40, 3), dtype=np.uint8) for _ in range(9)]
    whole = gif_bytes(noise)
    monkeypatch.setattr(animation, "MOST_BYTES", len(whole) // 2)
    content = gif_bytes(noise)
    pictures, durations = read_gif(content)
    assert len(content) <= len(whole) // 2
    assert durations[0] == 100 * 8 // (len(pictures) - 1)
    np.testing.assert_array_equal(pictures[-1], read_gif(whole)[0][-1])


def test_mp4_frames_come_back(tmp_path):
    made = frames(of_script([ASTRAY + STRAIGHT]))
    file = tmp_path / "animation.mp4"
    file.write_bytes(animation_bytes(made, "mp4"))
    stream = imageio_ffmpeg.read_frames(str(file))
    about = next(stream)
    height, width = made[0].shape[:2]
    assert (about["codec"], about["size"], about["fps"]) == ("h264", (width, height), 10.0)
    pictures = [np.frombuffer(each, dtype=np.uint8).reshape(height, width, 3) for each in stream]
    assert len(pictures) == len(made) + 20  # two seconds of rest
    for picture, frame in zip(pictures, made, strict=False):
        assert np.abs(picture.astype(int) - frame).mean() < 5


def test_unknown_formats_are_refused():
    with pytest.raises(ValueError, match="no animation format 'webm'; choose gif or mp4"):
        check_format("webm")


def test_mp4_without_its_extra_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    check_format("gif")
    with pytest.raises(
        ValueError, match=r"pip install -e '\.\[video\]'` in metarl's folder, or choose gif"
    ):
        check_format("mp4")
