import io

import numpy as np
import pytest
from PIL import Image

from metarl.analysis.contact_sheet import (
    MOST_COLUMNS,
    caption,
    chosen_episodes,
    contact_sheet,
    lay_out,
    png_bytes,
)
from metarl.analysis.episode_pictures import episode_picture
from metarl.core.budget import Episodes, Steps
from metarl.tasks.mazes.grid_maze import GridMaze
from tests.analysis.recorded_episodes import of_random, of_script
from tests.evaluation.test_recording import ASTRAY, STRAIGHT
from tests.evaluation.watched_agents import EAST, WEST


def places(sheet, picture):
    """Return where `picture` stands on `sheet`: (top, left) of each place that equals it."""
    height, width = picture.shape[:2]
    views = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (height, width))
    corners = (views[..., 0, 0] == picture[0, 0, 0]) & (views[..., -1, -1] == picture[-1, -1, 0])
    return [
        (y, x)
        for y, x in np.argwhere(corners).tolist()
        if (sheet[y : y + height, x : x + width] == picture).all()
    ]


def test_captions_tell_steps_return_and_success():
    astray, straight = of_script([ASTRAY + STRAIGHT]).episodes[0]
    assert caption(astray, 8) == ["8 steps", "return 0.68, success"]
    assert caption(straight, 5) == ["5 steps", "return 0.80, success"]
    assert caption(astray, 3) == ["step 3 of 8", "return \N{MINUS SIGN}0.12"]


def test_captions_tell_what_the_horizon_cut():
    episode = of_script([[EAST, WEST] * 6], horizon=3).episodes[0][0]
    assert caption(episode, 3) == ["3 steps (truncated)", "return \N{MINUS SIGN}0.12"]


def test_a_task_is_a_row_and_an_episode_a_column():
    recording = of_script([ASTRAY + STRAIGHT, STRAIGHT + ASTRAY])
    sheet = contact_sheet(recording, "A title")
    astray, straight = (
        places(sheet, episode_picture(recording, episode)) for episode in recording.episodes[0]
    )
    assert len(astray) == len(straight) == 2
    assert astray[0][0] == straight[0][0] < astray[1][0] == straight[1][0]  # rows
    assert astray[0][1] == straight[1][1] < astray[1][1] == straight[0][1]  # columns


def test_tasks_that_play_fewer_episodes_leave_columns_empty():
    recording = of_random(GridMaze(3, horizon=30), 4, Steps(40))
    counts = [len(episodes) for episodes in recording.episodes]
    assert len(set(counts)) > 1
    sheet = contact_sheet(recording)
    found = {
        place
        for episodes in recording.episodes
        for episode in episodes
        for place in places(sheet, episode_picture(recording, episode))
    }
    assert len(found) == sum(counts)


def test_of_many_episodes_the_first_and_the_last_are_among_those_shown():
    columns = chosen_episodes(of_script([STRAIGHT * 20], budget=Episodes(20, 0)))
    assert len(columns) == MOST_COLUMNS
    assert (columns[0], columns[-1]) == (0, 19)
    assert chosen_episodes(of_script([STRAIGHT * 3], budget=Episodes(3, 0))) == [0, 1, 2]


@pytest.mark.parametrize(
    "title",
    [
        "",
        "A title so long that the sheet must be wider than its only picture is, or it would be cut",
    ],
)
def test_sheets_have_even_sides_and_room_for_their_title(title):
    picture = np.full((31, 33, 3), 9, dtype=np.uint8)
    sheet = lay_out([[(picture, ["1 step", "return 0.00"])]], [0], title)
    assert sheet.shape[0] % 2 == sheet.shape[1] % 2 == 0
    assert len(places(sheet, picture)) == 1
    assert (sheet[:, -1] == 255).all()
    assert (sheet.shape[1] > 300) == bool(title)


def test_labels_stand_in_the_margin_beside_their_row():
    picture = np.full((31, 33, 3), 9, dtype=np.uint8)
    grid = [[(picture, ["1 step", "return 0.00"])]] * 2
    plain = lay_out(grid, [0], "")
    told = lay_out(grid, [0], "", [["a"], ["a parameter of the task 1.5", "b", "c", "d", "e"]])
    assert told.shape[1] > plain.shape[1]
    assert told.shape[0] > plain.shape[0], "rows are high enough for their labels"
    tops = [top for top, _ in places(told, picture)]
    left = places(told, picture)[0][1]
    ink = (told[:, : left - 2].min(-1) < 128).sum(1)
    assert ink[: tops[1]].sum() < ink[tops[1] :].sum(), "the second row's label is the longer one"
    assert (told[:, left - 6 : left - 2] == 255).all(), "no label runs into its picture"


def test_png_files_hold_the_picture():
    picture = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(picture)))), picture)
