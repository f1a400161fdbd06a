import numpy as np
import pytest
import torch

from metarl.agents.random import RandomAgent
from metarl.core.budget import Episodes, Steps
from metarl.core.errors import PlugInError
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.recording import MOST_PICTURES, record
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.mazes.grid_maze import GridMaze
from tests.evaluation.drawing_envs import DrawsItself, NoDisplay
from tests.evaluation.watched_agents import (
    EAST,
    NORTH,
    SOUTH,
    WEST,
    Counting,
    DrawnCounting,
    DrawnMaze,
    ImageCounting,
    Script,
)

STRAIGHT = [EAST, EAST, SOUTH, SOUTH, WEST]
ASTRAY = [NORTH, EAST, WEST, *STRAIGHT]


def own(make_env, horizon=8, workers=0, tasks=(3, 5)):
    return GymnasiumDistribution(
        "Own-v0", make_env, {"test": list(tasks)}, horizon, workers=workers
    )


def recorded(distribution, num_tasks=2, budget=Episodes(2, 0)):
    return record(RandomAgent(distribution, budget), distribution, "test", num_tasks, 0, budget)


def test_a_scripted_walk_is_kept_cell_by_cell():
    maze = DrawnMaze(3, horizon=20)
    recording = record(
        Script([ASTRAY + STRAIGHT, STRAIGHT + ASTRAY]), maze, "test", 2, 0, Episodes(2, 0)
    )
    cells = [[episode.states.tolist() for episode in episodes] for episodes in recording.episodes]
    straight = [0, 1, 2, 5, 8, 7]
    astray = [0, 0, 1, 0, 1, 2, 5, 8, 7]
    assert cells == [[astray, straight], [straight, astray]]
    first, second = recording.episodes[0]
    assert first.actions.tolist() == ASTRAY
    assert second.actions.tolist() == STRAIGHT
    np.testing.assert_allclose(first.rewards, [-0.041] + [-0.04] * 6 + [0.96], atol=1e-6)
    assert (first.task, first.episode, second.task, second.episode) == (0, 0, 0, 1)
    assert (first.terminated, first.truncated, first.success) == (True, False, True)
    assert torch.equal(recording.tasks.walls, maze.sample(2, "test", 0).walls)


def test_an_episode_that_the_horizon_ends_keeps_its_last_state():
    recording = record(
        Script([[EAST, WEST] * 6]), DrawnMaze(3, horizon=3), "test", 1, 0, Episodes(2, 0)
    )
    assert [episode.states.tolist() for episode in recording.episodes[0]] == [
        [0, 1, 0, 1],
        [0, 0, 1, 0],
    ]
    assert [
        (episode.terminated, episode.truncated, episode.success)
        for episode in recording.episodes[0]
    ] == [(False, True, False)] * 2


@pytest.mark.parametrize("budget", [Episodes(2, 1), Steps(70)])
def test_what_is_recorded_is_what_is_scored(budget):
    maze = GridMaze(3, horizon=30)
    scored = evaluate(RandomAgent(maze, budget), maze, "test", 5, 3, budget)
    recording = record(RandomAgent(maze, budget), maze, "test", 5, 3, budget)
    assert recording.evaluation.rows().equals(scored.rows())
    assert recording.evaluation.fingerprint == scored.fingerprint
    episodes = [episode for episodes in recording.episodes for episode in episodes]
    np.testing.assert_array_equal([episode.length for episode in episodes], scored.length)
    np.testing.assert_allclose([episode.total for episode in episodes], scored.returns, atol=1e-5)
    assert all(
        len(episode.states) == episode.length + 1 == len(episode.actions) + 1
        for episode in episodes
    )
    starts = recording.tasks.start
    assert all(episode.states[0] == starts[episode.task] for episode in episodes)
    assert all(
        (episode.states[-1] == recording.tasks.goal[episode.task]) == episode.terminated
        for episode in episodes
    )


def test_nested_states_of_rows_with_clocks_of_their_own():
    recording = recorded(DrawnCounting(), 3, Episodes(2, 0))
    for task, episodes in enumerate(recording.episodes):
        for episode in episodes:
            wanted = list(range(task + 3))
            assert episode.states[0].tolist() == episode.states[1][0].tolist() == wanted
            assert episode.rewards.tolist() == wanted[1:]


def test_images_are_kept_where_they_are_all_there_is():
    for task, episodes in enumerate(recorded(ImageCounting()).episodes):
        for episode in episodes:
            assert [
                int(episode.observations[moment][0, 0, 0]) for moment in range(task + 3)
            ] == list(range(task + 3))


@pytest.mark.parametrize("workers", [0, 1])
def test_environments_draw_themselves(workers):
    recording = recorded(own(DrawsItself, workers=workers))
    assert sorted(episodes[0].length for episodes in recording.episodes) == [3, 5]
    for episodes in recording.episodes:
        for episode in episodes:
            assert episode.states is None
            assert [int(picture[0, 0, 0]) for picture in episode.pictures.values()] == [
                10 * i for i in range(episode.length + 1)
            ]


def test_of_long_episodes_some_pictures_are_kept_and_the_last():
    recording = recorded(own(DrawsItself, 4 * MOST_PICTURES, tasks=(90,)), 1, Episodes(1, 0))
    assert list(recording.episodes[0][0].pictures) == [*range(0, 90, 4), 90]
    cut = recorded(own(DrawsItself, 250, tasks=(900,)), 1, Episodes(1, 0))
    assert list(cut.episodes[0][0].pictures) == [*range(0, 250, 3), 250]


@pytest.mark.parametrize(
    ("distribution", "sentence"),
    [
        (
            BernoulliBandit(3),
            "BernoulliBandit-v0 has nothing to show: it defines neither render nor render_path",
        ),
        (Counting(), "Counting-v0 has nothing to show"),
        (own(lambda task: DrawsItself(task, None)), 'Make them with render_mode="rgb_array"'),
        (
            own(NoDisplay),
            "raised RuntimeError while being drawn: no display. On a machine without a display",
        ),
    ],
    ids=["bandit", "counting", "no render mode", "no display"],
)
def test_what_cant_be_shown_is_said_before_the_first_step(distribution, sentence, monkeypatch):
    monkeypatch.setattr("metarl.envs.meta_episode.MetaEpisodeEnv.step", None)
    with pytest.raises(ValueError, match=sentence):
        recorded(distribution)


def test_rows_of_another_kind_say_what_their_renderer_said(monkeypatch):
    def broken(self, row):
        raise OSError("no display")

    monkeypatch.setattr("metarl.envs.gymnasium_adapter.GymnasiumRows.render", broken)
    with pytest.raises(
        PlugInError,
        match=r"Own-v0 can't be drawn \(OSError: no display\). On a machine without a display",
    ):
        recorded(own(DrawsItself))


def test_other_faults_of_a_renderer_are_not_blamed_on_the_display(monkeypatch):
    def broken(self):
        raise KeyError("colour")

    monkeypatch.setattr(DrawsItself, "render", broken)
    with pytest.raises(PlugInError, match="raised KeyError while being drawn: 'colour'") as caught:
        recorded(own(DrawsItself))
    assert "display" not in str(caught.value)
