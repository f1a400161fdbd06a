"""The explorer with a map: it finds every goal, walks each corridor as depth-first search does, and then goes straight."""

import pytest
import torch

from metarl.baselines.maze_explorer import MazeExplorer
from metarl.baselines.registry import agent_names
from metarl.envs.budget import Episodes
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.evaluation.protocol import evaluate
from metarl.tasks.grid_maze import GridMaze
from metarl.tasks.grid_navi import GridNavi
from metarl.tasks.maze_layouts import distances, parse_drawings
from metarl.tasks.seeding import torch_generator


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
    assert (length[:, 0] <= 2 * 24).all()  # depth-first search crosses each of 24 passages at most twice
    assert (length[:, 0] > length[:, 1]).mean() > 0.4


def test_loops_and_wide_windows():
    length, success = played(GridMaze(loops=0.3, window=2), 2)
    assert success.all()
    assert (length[:, 1] <= length[:, 0]).all()


def test_an_episode_that_was_cut_is_gone_on_with_in_the_next():
    distribution = GridMaze(horizon=14)
    length, success = played(distribution, 6)
    reachable = shortest(distribution, 200) <= 14
    found = success.argmax(1)
    cut = success.any(1) & (found > 0)
    assert cut.any()
    assert success[reachable].any(1).mean() > 0.9
    later = [success[i, found[i] :].all() and length[i, -1] == shortest(distribution, 200)[i] for i in range(200) if cut[i]]
    assert all(later)


def test_it_goes_back_only_from_dead_ends():
    drawing = "#######\n#S..#.#\n###.#.#\n#...#.#\n#.###.#\n#....G#\n#######"

    class Drawn(GridMaze):
        def sample(self, n, split, seed):
            return parse_drawings([drawing] * n)

    distribution, budget = Drawn(3), Episodes(1, 0)
    agent, rng = MazeExplorer(distribution, budget), torch_generator(0)
    env = MetaEpisodeEnv(distribution, budget, 4, rng, refill=False)
    step, state, taken = env.reset(lambda rows, counts: distribution.sample(len(rows), "test", 0)), agent.initial_state(4), []
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
