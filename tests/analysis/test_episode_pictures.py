import numpy as np
import pytest
import torch

from metarl.agents.registry import make_agent
from metarl.analysis.episode_pictures import (
    BAND,
    MOMENTS,
    OPTION_COLOURS,
    TILE,
    beside,
    episode_picture,
    fit,
    moment_picture,
    with_options,
)
from metarl.core.budget import Episodes
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.evaluation.recording import record
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.mazes.drawings import draw_maze, places_of
from tests.analysis.recorded_episodes import of_random, of_script
from tests.evaluation.drawing_envs import DrawsItself
from tests.evaluation.test_recording import ASTRAY, STRAIGHT
from tests.evaluation.watched_agents import Counting, DrawnCounting, ImageCounting


class Swinging(Counting):
    """States as a pendulum's, under its id, and no drawing of its own."""

    id = "Pendulum-v0"

    def reset(self, tasks, rng):
        (count, _), shown = super().reset(tasks, rng)
        return torch.stack([count.float(), count.float()], 1), shown

    def step(self, tasks, state, action, rng):
        transition = super().step(tasks, (state[:, 0].long(), None), action, rng)
        return transition._replace(state=state + 1)


class SeenAndDrawn(ImageCounting):
    """Observations are images, and the family draws itself too."""

    def render(self, tasks, state):
        return DrawnCounting.render(self, tasks, state)


def test_a_mazes_episode_is_its_path():
    recording = of_script([ASTRAY + STRAIGHT])
    episode = recording.episodes[0][0]
    path = places_of(torch.tensor([0, 0, 1, 0, 1, 2, 5, 8, 7]), 3)
    whole = draw_maze(recording.tasks, path, 8).numpy()
    np.testing.assert_array_equal(episode_picture(recording, episode), fit(whole))
    np.testing.assert_array_equal(
        moment_picture(recording, episode, 3), fit(draw_maze(recording.tasks, path, 3).numpy())
    )


def test_others_are_shown_by_moments_from_start_to_end():
    recording = of_random(DrawnCounting(), 3)
    episode = recording.episodes[2][0]  # of four steps
    strip = episode_picture(recording, episode)
    each = (strip.shape[1] - 2 * (MOMENTS - 1)) // MOMENTS
    shades = [strip[:, i * (each + 2) + each // 2, 0] for i in range(MOMENTS)]
    rows = [int((shade == 127).sum()) * 8 // len(shade) for shade in shades]
    assert rows == [0, 1, 3, 4]


def test_episodes_of_few_steps_leave_room_so_that_columns_stay_in_line():
    recording = of_random(DrawnCounting(), 2)
    short, long = (episode_picture(recording, episodes[0]) for episodes in recording.episodes)
    assert recording.episodes[0][0].length == 2
    assert short.shape == long.shape


def test_images_that_agents_see_stand_beside_the_drawing_or_alone():
    alone, both = (of_random(family(), 1) for family in (ImageCounting, SeenAndDrawn))
    seen = moment_picture(alone, alone.episodes[0][0], 1)
    assert np.unique(seen).tolist() == [1]
    drawn = fit(DrawnCounting().render(None, (None, (torch.tensor([1]),)))[0].numpy())
    np.testing.assert_array_equal(
        moment_picture(both, both.episodes[0][0], 1), beside([drawn, seen])
    )
    # moments, lines, room
    assert np.unique(episode_picture(alone, alone.episodes[0][0])).tolist() == [0, 1, 2, 200, 255]


def test_environments_pictures_are_those_kept_last():
    # Keeps every third
    distribution = GymnasiumDistribution("Own-v0", DrawsItself, {"test": [10]}, 250)
    recording = of_random(distribution, 1)
    shades = [
        int(moment_picture(recording, recording.episodes[0][0], moment)[0, 0, 0])
        for moment in (0, 2, 3, 9, 10)
    ]
    assert shades == [0, 0, 30, 90, 100]


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((10, 20), (160, 320)),
        ((100, 60), (100, 60)),
        ((160, 10), (160, 10)),
        ((320, 400), (160, 200)),
    ],
)
def test_pictures_are_brought_to_about_one_height(size, shown):
    fitted = fit(np.full((*size, 3), 77, dtype=np.uint8), TILE)
    assert fitted.shape == (*shown, 3)
    assert (fitted == 77).all()


def test_beside_keeps_every_pixel():
    one = np.full((4, 3, 3), 10, dtype=np.uint8)
    other = np.full((2, 5, 3), 20, dtype=np.uint8)
    row = beside([one, other])
    assert row.shape == (4, 10, 3)
    assert ((row == 10).all(-1).sum(), (row == 20).all(-1).sum()) == (12, 10)


def test_a_band_below_shows_which_sub_policy_acted_when():
    tasks = MovingBandits(horizon=4)
    budget = Episodes(1)
    recording = record(
        make_agent("random-master", tasks, budget, option_length=2), tasks, "test", 3, 0, budget
    )
    for episodes in recording.episodes:
        episode = episodes[0]
        assert episode.options.shape == (4,)
        assert episode.options[0] == episode.options[1]
        picture = moment_picture(recording, episode, 2)
        band = picture[-BAND:]
        quarter = band.shape[1] // 4
        for step in range(4):
            wanted = OPTION_COLOURS[episode.options[step]] if step < 2 else (235, 235, 235)
            assert (band[:, step * quarter + 3 : (step + 1) * quarter - 3] == wanted).all()
        whole = episode_picture(recording, episode)
        assert (whole[-1, -5] == OPTION_COLOURS[episode.options[3]]).all()


def test_agents_without_options_have_no_band():
    recording = of_random(DrawnCounting(), 1)
    episode = recording.episodes[0][0]
    assert episode.options is None
    picture = episode_picture(recording, episode)
    assert with_options(picture, episode, 2) is picture
