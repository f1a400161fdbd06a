"""The explorer with a map.

It finds every goal, walks each corridor as depth-first search does, and then goes straight.
"""

import pytest
import torch

from metarl.agents.mazes.explorer import MazeExplorer
from metarl.agents.registry import agent_names
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import mean
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.grid_navi import GridNavi
from metarl.tasks.mazes.layouts import DIRECTIONS, distances, parse_drawings, passages


def shortest(distribution, n):
    tasks = distribution.sample(n, "test", 0)
    return distances(tasks.walls, tasks.goal).gather(1, tasks.start[:, None])[:, 0].numpy()


def played(distribution, episodes, n=200):
    budget = Episodes(episodes, 0)
    evaluation = evaluate(MazeExplorer(distribution, budget), distribution, "test", n, 0, budget)
    return evaluation.length.reshape(n, episodes), evaluation.success.reshape(n, episodes)


@pytest.mark.parametrize("algorithm", ["depth-first", "kruskal"])
def test_in_perfect_mazes_the_second_episode_is_the_shortest_path(algorithm):
    distribution = GridMaze(algorithm=algorithm)
    length, success = played(distribution, 2)
    assert success.all()
    assert (length[:, 1] == shortest(distribution, 200)).all()
    assert (length[:, 0] >= length[:, 1]).all()
    # depth-first search crosses each of 24 passages at most twice
    assert (length[:, 0] <= 2 * 24).all()
    assert (length[:, 0] > length[:, 1]).mean() > 0.4


@pytest.mark.parametrize("window", [2, 3, 5, 9])
def test_loops_and_wide_windows(window):
    length, success = played(GridMaze(loops=0.3, window=window), 2)
    assert success.all()
    assert (length[:, 1] <= length[:, 0]).all()


def test_what_it_sees_further_away_shortens_later_walks():
    near, far = (played(GridMaze(loops=0.3, window=window), 2)[0] for window in (1, 5))
    assert mean(near[:, 1] - far[:, 1]).low > 0
    everything = played(GridMaze(loops=0.3, window=9), 2)[0]
    assert (everything[:, 1] == shortest(GridMaze(loops=0.3), 200)).all()


@pytest.mark.parametrize("window", [1, 2, 3, 4])
def test_its_map_holds_what_the_window_shows_and_no_more(window):
    distribution = GridMaze(window=window, loops=0.2)
    tasks = distribution.sample(100, "test", 0)
    rng = torch_generator(0)
    budget = Episodes(1, 0)
    agent = MazeExplorer(distribution, budget)
    env = MetaEpisodeEnv(distribution, budget, 100, rng, refill=False)
    _, state = agent.act(env.reset(lambda rows, counts: tasks[rows]), agent.initial_state(100), rng)
    truth = passages(tasks.walls)
    side = 2 * distribution.size - 1
    for i in range(100):
        down, right = divmod(int(tasks.start[i]), distribution.size)
        for cell in range(distribution.size**2):
            rows = cell // distribution.size - down
            columns = cell % distribution.size - right
            drawn = state.is_open[
                i, (rows + distribution.size - 1) * side + columns + distribution.size - 1
            ]
            for direction, (south, east) in enumerate(DIRECTIONS):
                shown = max(abs(2 * rows + south), abs(2 * columns + east)) <= window
                assert drawn[direction] == (truth[i, cell, direction] if shown else False)


def test_an_episode_that_was_cut_is_gone_on_with_in_the_next():
    distribution = GridMaze(horizon=14)
    length, success = played(distribution, 6)
    reachable = shortest(distribution, 200) <= 14
    found = success.argmax(1)
    cut = success.any(1) & (found > 0)
    assert cut.any()
    assert success[reachable].any(1).mean() > 0.9
    later = [
        success[i, found[i] :].all() and length[i, -1] == shortest(distribution, 200)[i]
        for i in range(200)
        if cut[i]
    ]
    assert all(later)


def test_it_goes_back_only_from_dead_ends():
    drawing = "#######\n#S..#.#\n###.#.#\n#...#.#\n#.###.#\n#....G#\n#######"

    class Drawn(GridMaze):
        def sample(self, n, split, seed):
            return parse_drawings([drawing] * n)

    distribution = Drawn(3)
    budget = Episodes(1, 0)
    agent = MazeExplorer(distribution, budget)
    rng = torch_generator(0)
    env = MetaEpisodeEnv(distribution, budget, 4, rng, refill=False)
    step = env.reset(lambda rows, counts: distribution.sample(len(rows), "test", 0))
    state = agent.initial_state(4)
    taken = []
    for _ in range(6):
        action, state = agent.act(step, state, rng)
        step, _ = env.step(action)
        taken.append(action)
    assert torch.stack(taken).T.tolist() == [[1, 2, 3, 2, 1, 1]] * 4


def test_it_plays_grid_mazes_only():
    assert "maze-explorer" in agent_names(GridMaze())
    assert "maze-explorer" not in agent_names(GridNavi())
    with pytest.raises(ValueError, match="plays GridMaze"):
        MazeExplorer(GridNavi(), Episodes(2))
