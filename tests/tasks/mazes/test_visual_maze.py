"""VisualMaze: the tasks of GridMaze, walks computed by hand, and bounds that hold."""

import numpy as np
import pytest
import torch

from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TensorRows, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.layouts import parse_drawings
from metarl.tasks.mazes.visual_maze import (
    FORWARD,
    LEFT,
    RIGHT,
    VisualMaze,
    cheapest_ways,
    exact_costs,
)

HOOK = """
#####
#S..#
###.#
#G..#
#####
"""  # with heading north: right, forward, right, forward, right, forward


def play(maze, tasks, actions):
    """Rewards and the last transition of one row."""
    rng = torch_generator(0)
    state, _ = maze.reset(tasks, rng)
    rewards = []
    for action in actions:
        transition = maze.step(tasks, state, torch.tensor([action]), rng)
        state = transition.state
        rewards.append(round(transition.reward.item(), 4))
        if transition.terminated.item():
            break
    return rewards, transition


@pytest.mark.parametrize(
    "arguments",
    [{}, {"size": 3, "algorithm": "kruskal", "loops": 0.2, "train_mazes": 10}, {"test_mazes": 0}],
)
@pytest.mark.parametrize("split", ["train", "test"])
def test_tasks_are_those_of_grid_maze(arguments, split):
    wanted = GridMaze(**arguments).sample(20, split, 7)
    for turning in ({}, {"turns": 12, "strides": 3, "landmarks": False}):
        assert (
            VisualMaze(**arguments, **turning).sample(20, split, 7).fingerprint
            == wanted.fingerprint
        )


def test_a_walk_by_hand():
    tasks = parse_drawings([HOOK])
    maze = VisualMaze(size=2)
    rewards, last = play(maze, tasks, [FORWARD, RIGHT, FORWARD, RIGHT, FORWARD, RIGHT, FORWARD])
    assert rewards == [-0.041, *[-0.04] * 5, 0.96]
    assert last.terminated.all()
    assert last.success.all()
    assert last.state.position.tolist() == [[1.5, 0.5]]
    assert last.state.heading.tolist() == [3]


def test_left_undoes_right():
    tasks = parse_drawings([HOOK])
    maze = VisualMaze(size=2)
    _, first = maze.reset(tasks, torch_generator(0))
    _, last = play(maze, tasks, [LEFT, LEFT, RIGHT, RIGHT])
    assert torch.equal(last.observation, first)


@pytest.mark.parametrize(("strides", "steps"), [(1, 1), (2, 2), (3, 3), (5, 5), (10, 10)])
def test_strides_share_a_cell(strides, steps):
    tasks = parse_drawings([HOOK])
    maze = VisualMaze(size=2, strides=strides)
    _, last = play(maze, tasks, [RIGHT] + [FORWARD] * steps)
    assert last.state.position[0].tolist() == pytest.approx([0.5, 1.5], abs=1e-5)
    rewards, last = play(maze, tasks, [RIGHT] + [FORWARD] * (2 * steps))
    assert last.state.position[0, 1] < 1.9  # the wall's face
    assert rewards[-1] == (-0.041)


def test_the_goal_is_reached_half_a_cell_before_its_middle():
    tasks = parse_drawings(["#####\n#S.G#\n#.###\n#...#\n#####"])
    for strides, needed in ((1, 1), (2, 1), (4, 2), (6, 3), (5, 3)):
        rewards, last = play(VisualMaze(size=2, strides=strides), tasks, [RIGHT] + [FORWARD] * 20)
        assert len(rewards) == 1 + needed
        assert last.success.all()


def test_no_walk_ends_in_a_wall():
    maze = VisualMaze(turns=12, strides=3)
    tasks = maze.sample(64, "train", 0)
    rng = torch_generator(0)
    state, _ = maze.reset(tasks, rng)
    actions = torch.randint(3, (150, 64), generator=torch_generator(1)).clamp_min(0)
    for action in actions:
        state = maze.step(tasks, state, torch.where(action == LEFT, FORWARD, action), rng).state
        shifted = state.position + 0.1
        square = (2 * shifted.floor() + (shifted - shifted.floor() >= 0.2)).long()
        assert not tasks.walls[torch.arange(64), square[:, 0], square[:, 1]].any()


def test_shortest_ways_by_hand():
    tasks = parse_drawings([HOOK])
    ways = cheapest_ways(tasks.walls, tasks.goal, exact_costs())[0]
    # From the start, facing north, east, south, west
    assert ways[0].tolist() == [6.0, 5.0, 6.0, 7.0]
    assert ways[3].tolist() == [2.0, 3.0, 2.0, 1.0]
    assert ways[2].tolist() == [0.0] * 4
    assert VisualMaze(size=2).upper_bound(tasks, 2).tolist() == pytest.approx([2 * (1 - 6 * 0.04)])


def test_the_bound_is_what_an_exhaustive_search_walks():
    maze = VisualMaze(size=4)
    tasks = maze.sample(30, "test", 0)
    bound = maze.upper_bound(tasks, 1)
    for i in range(len(tasks)):
        assert 1 - 0.04 * steps_by_search(maze, tasks[i]) == pytest.approx(bound[i].item())


@pytest.mark.parametrize("strides", [2, 3])
def test_the_loose_bound_lies_above_the_best_walk(strides):
    maze = VisualMaze(size=3, strides=strides, loops=0.2)
    tasks = maze.sample(8, "test", 0)
    bound = maze.upper_bound(tasks, 1)
    best = torch.tensor([1 - 0.04 * steps_by_search(maze, tasks[i]) for i in range(len(tasks))])
    assert (best <= bound + 1e-6).all()
    assert (bound <= 1 - 0.04).all()


def steps_by_search(maze, task):
    """Fewest steps to the goal, by playing every action from every pose that can be reached."""
    rng = torch_generator(0)
    state, _ = maze.reset(task, rng)
    seen = {(*state.position[0].mul(1000).round().tolist(), state.heading.item())}
    depth = 0
    while len(state.heading):
        depth += 1
        n = len(state.heading)
        repeated = type(state)(state.position.repeat(3, 1), state.heading.repeat(3))
        actions = torch.arange(3).repeat_interleave(n)
        transition = maze.step(task[torch.zeros(3 * n, dtype=torch.int64)], repeated, actions, rng)
        if transition.terminated.any():
            return depth
        points = transition.state.position.mul(1000).round().tolist()
        keys = [
            (*point, heading)
            for point, heading in zip(points, transition.state.heading.tolist(), strict=True)
        ]
        fresh = []
        for i, key in enumerate(keys):
            if key not in seen:
                seen.add(key)
                fresh.append(i)
        state = type(state)(transition.state.position[fresh], transition.state.heading[fresh])
    raise AssertionError("the goal can't be reached")


def test_rows_that_draw_only_restarts_play_the_same(monkeypatch):
    maze = VisualMaze(size=2, horizon=7)
    budget = Episodes(2, 0)
    n = 24
    actions = torch.randint(3, (40, n), generator=torch_generator(3))

    def seen():
        env = MetaEpisodeEnv(maze, budget, n, torch_generator(0))
        steps = [env.reset(fresh_tasks(maze, "train", n, 0)).observation]
        for action in actions:
            step, outcome = env.step(action)
            steps += [step.observation, step.final_observation, outcome.final_observation]
        return torch.stack(steps)

    quick = seen()
    monkeypatch.setattr(
        VisualMaze, "open", lambda self, num_rows, rng: TensorRows(self, num_rows, rng)
    )
    assert torch.equal(quick, seen())


def test_horizons_are_the_papers():
    assert VisualMaze().horizon == 250
    assert VisualMaze(size=9).horizon == 1000
    assert VisualMaze(horizon=33).horizon == 33


def test_it_is_made_by_its_id():
    maze = make("VisualMaze-v0", turns=12, strides=3, landmarks=False)
    assert maze.config() == {**VisualMaze().config(), "turns": 12, "strides": 3, "landmarks": False}
    assert maze.observation_space.shape == (30, 40, 3)
    assert maze.observation_space.dtype == np.uint8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"turns": 6}, "multiple of 4"),
        ({"turns": 0}, "multiple of 4"),
        ({"strides": 0}, "at least 1 step"),
        ({"horizon": -1}, "horizon must be at least 1"),
        ({"size": 0}, "size of at least 2"),
        ({"algorithm": "prim"}, "no maze algorithm"),
    ],
)
def test_bad_settings_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        VisualMaze(**arguments)


def test_the_path_is_drawn_from_above():
    maze = VisualMaze(3)
    tasks = maze.sample(1, "test", 0)
    pose, _ = maze.reset(tasks, torch.Generator())
    picture = maze.render_path(tasks, pose, 0)
    assert picture.dtype == torch.uint8
    assert picture.shape == GridMaze(3).render_path(tasks, tasks.start, 0).shape
    turned = maze.render_path(tasks, pose._replace(heading=(pose.heading + 1) % 4), 0)
    assert not torch.equal(picture, turned)  # the wedge shows where it faces


@pytest.mark.parametrize(("loops", "landmarks"), [(0.0, True), (0.3, False)])
def test_what_an_agent_can_tell_of_its_moves_is_right(loops, landmarks):
    maze = VisualMaze(4, loops=loops, landmarks=landmarks, train_mazes=0)
    rng = torch.Generator().manual_seed(0)
    tasks = maze.sample(300, "train", 0)
    pose, view = maze.reset(tasks, rng)
    reckoned = torch.zeros(300, 3, dtype=torch.int64)
    playing = torch.ones(300, dtype=torch.bool)
    for _ in range(60):
        action = torch.randint(3, (300,), generator=rng)
        reckoned = maze.odometry(reckoned, view, action)
        transition = maze.step(tasks, pose, action, rng)
        pose = transition.state
        view = transition.observation
        apart = pose.position - maze.first_pose(tasks).position
        turns = tasks.heading  # poses count from the first heading
        north = torch.stack([reckoned_rows(reckoned, turns), reckoned_columns(reckoned, turns)], 1)
        playing &= ~transition.terminated
        torch.testing.assert_close(north[playing].float(), apart[playing].float())
        assert torch.equal(((reckoned[:, 2] + turns) % 4)[playing], pose.heading[playing])
    assert playing.sum() > 30


def reckoned_rows(pose, turns):
    """Rows downwards of poses that count from an agent which faced `turns` times clockwise from
    north.
    """
    return torch.stack([pose[:, 0], pose[:, 1], -pose[:, 0], -pose[:, 1]], 1).gather(
        1, turns[:, None]
    )[:, 0]


def reckoned_columns(pose, turns):
    return torch.stack([pose[:, 1], -pose[:, 0], -pose[:, 1], pose[:, 0]], 1).gather(
        1, turns[:, None]
    )[:, 0]


def test_other_turns_and_strides_cannot_be_reckoned():
    assert VisualMaze(turns=12).odometry is None
    assert VisualMaze(strides=3).odometry is None
