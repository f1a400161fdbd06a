"""Pictures in rows.

Tasks as environments draw them, moments from start to end, and a panel for each.
"""

import numpy as np
import pytest

from metarl.analysis.picture_rows import Titled, moments_of, picture_rows, task_pictures
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from tests.analysis.recorded_episodes import of_random
from tests.evaluation.drawing_envs import DrawsItself

OWN = GymnasiumDistribution("Own-v0", DrawsItself, {"train": [3, 4], "test": [7, 5, 6]}, 20)


class Begun(DrawsItself):
    """Its clock starts where its task says, and its seed is seen to be asked for."""

    def reset(self, *, seed=None, options=None):
        self.clock = self.task + seed
        return 0, {}


class Blind(DrawsItself):
    """Draws nothing."""

    def render(self):
        return None


def test_without_actions_the_lists_first_tasks_are_at_their_start():
    begun = GymnasiumDistribution("Own-v0", Begun, {"train": [3, 4], "test": [7, 5, 6]}, 20)
    pictures = task_pictures(begun, "test", 2, seed=1)
    assert [picture.title for picture in pictures] == ["7", "5"]
    assert [int(picture.picture[0, 0, 0]) for picture in pictures] == [80, 60]


def test_tasks_are_shown_after_actions_or_at_their_end():
    pictures = task_pictures(OWN, "test", 3, actions=[0, 1, 0, 1, 0, 1])
    assert [int(picture.picture[0, 0, 0]) for picture in pictures] == [60, 50, 60]


def test_moments_go_from_start_to_end():
    recording = of_random(OWN, 3)
    episode = next(episodes[0] for episodes in recording.episodes if episodes[0].length == 7)
    moments = moments_of(recording, episode, 4)
    assert [moment.title for moment in moments] == ["step 0", "step 2", "step 5", "step 7"]
    assert [int(moment.picture[0, 0, 0]) for moment in moments] == [0, 20, 50, 70]
    assert len(moments_of(recording, episode, 50)) == 8


def test_a_row_for_each_label_and_blanks_where_one_is_shorter():
    grey = np.full((4, 5, 3), 90, dtype=np.uint8)
    figure = picture_rows(
        {"known": [Titled("1", grey), Titled("2", grey + 1)], "new": [Titled("3", grey + 2)]}
    )
    assert [axes.get_ylabel() for axes in figure.axes] == ["known", "", "new", ""]
    assert [axes.get_title() for axes in figure.axes] == ["1", "2", "3", ""]
    assert [int(axes.images[0].get_array()[0, 0, 0]) for axes in figure.axes[:3]] == [90, 91, 92]
    assert [axes.axison for axes in figure.axes] == [True, True, True, False]


def test_what_cant_be_shown_is_said():
    with pytest.raises(ValueError, match="ask for 1 to 3, not 4"):
        task_pictures(OWN, "test", 4)
    with pytest.raises(ValueError, match="no split"):
        task_pictures(OWN, "extrapolate", 1)
    with pytest.raises(ValueError, match="draw no pictures"):
        task_pictures(GymnasiumDistribution("Own-v0", Blind, {"test": [7]}, 20), "test", 1)
    recording = of_random(OWN, 1)
    with pytest.raises(ValueError, match="2 moments or more"):
        moments_of(recording, recording.episodes[0][0], 1)
    with pytest.raises(ValueError, match="no picture"):
        picture_rows({"new": []})
