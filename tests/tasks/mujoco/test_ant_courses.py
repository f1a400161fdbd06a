"""Ants between walls.

What walls stop, what a step is paid, when the ant stands anew, and which mazes are for tests.
"""

import numpy as np
import pytest
import torch

import metarl
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.mujoco.ant_courses import (
    FOR_TESTS,
    MAZES,
    AntCourse,
    CourseState,
    CourseTasks,
    ant_maze,
    ant_obstacle,
)
from metarl.tasks.mujoco.family import MujocoState
from tests.tasks.mujoco.test_ant_layouts import inside

OPEN_HALL = ("....... .S...G. .......",)
RIGHT = "right, right"


def tasks_of(family, names):
    layout = torch.tensor([list(MAZES).index(name) for name in names])
    return CourseTasks(torch.from_numpy(family.layouts.goals)[layout], layout)


def at(family, tasks, places, velocity=(0.0, 0.0), clock=0):
    """Standing ants at `places` [n, 2] that move with `velocity` (m/s)."""
    n = len(tasks)
    position = torch.from_numpy(np.tile(family.models.base.qpos0, (n, 1)))
    position[:, :2] = torch.as_tensor(places, dtype=torch.float64)
    speed = torch.zeros(n, family.models.base.nv, dtype=torch.float64)
    speed[:, :2] = torch.as_tensor(velocity, dtype=torch.float64)
    return CourseState(position, speed, position[:, :2].clone(), torch.full((n,), clock))


def still(n):
    return torch.zeros(n, 8, dtype=torch.float64)


def test_goals_and_splits():
    family = ant_maze()
    whole = ant_maze(all_nine=True)
    assert not family.finite
    assert whole.finite
    assert ant_obstacle().finite
    kept = {split: set(family.sample(90, split, 0).layout.tolist()) for split in family.splits}
    assert kept["test"] == {list(MAZES).index(name) for name in FOR_TESTS} == {7, 8}
    assert kept["train"] == set(range(9)) - kept["test"]
    for split in whole.splits:
        counts = torch.bincount(whole.sample(90, split, 1).layout)
        assert counts.tolist() == [10] * 9, "each comes once before any comes twice"
    tasks = whole.sample(9, "train", 2)
    assert torch.equal(tasks.goal, torch.from_numpy(whole.layouts.goals)[tasks.layout])
    assert ant_obstacle().sample(2, "test", 0).goal.tolist() == [[18.0, 18.0]] * 2


def test_far_from_walls_an_ant_moves_as_without():
    hall = ant_in_hall()
    free = metarl.make("AntTwoWalk-v0", shows_place=True)
    tasks = hall.sample(4, "train", 0)
    rng = torch_generator(0)
    state, first = hall.reset(tasks, rng)
    plain = MujocoState(*state[:3])
    plain_tasks = free.sample(4, "train", 0)
    for _ in range(60):
        action = torch.rand(4, 8, generator=rng, dtype=torch.float64) * 2 - 1
        moved = hall.step(tasks, state, action, rng)
        wanted = free.step(plain_tasks, plain, action, rng)
        state = moved.state
        plain = wanted.state
        assert torch.equal(moved.observation, wanted.observation)
    assert first.shape == (4, 29)
    assert state.clock.tolist() == [60] * 4


def ant_in_hall():
    return AntCourse("Hall-v0", OPEN_HALL, {"train": [0], "test": [0]}, False, 40.0, 0, 100, {})


@pytest.mark.parametrize("speed", [2.0, 5.0, 10.0, 20.0])
def test_walls_stop_an_ant_that_is_thrown_at_them(speed):
    family = ant_maze(all_nine=True, stand_every=0)
    tasks = tasks_of(family, ["up"] * 4)
    ways = torch.tensor([(1.0, 0.0), (-1.0, 0.0), (0.0, -1.0), (0.0, 1.0)], dtype=torch.float64)
    hall = ant_in_hall()
    state, free = (at(each, tasks, np.zeros((4, 2)), speed * ways) for each in (family, hall))
    loose = hall.sample(4, "train", 0)
    for _ in range(60):
        state = family.step(tasks, state, still(4), torch_generator(0)).state
        free = hall.step(loose, free, still(4), torch_generator(0)).state
    along, loosely = ((each.torso * ways).sum(1) for each in (state, free))
    assert (along[:3] < 3.0 - 0.2).all(), "the wall's face is 3 m away, the torso 0.25 m thick"
    assert float(along[3]) < 9.0 - 0.2
    if speed >= 10:
        assert (loosely > 5.0).all(), "without walls they fly on"
    if speed == 20:
        assert (loosely > 15.0).all()


def test_no_ant_gets_out_however_it_thrashes():
    family = ant_maze(all_nine=True)
    rng = torch_generator(1)
    tasks = family.sample(18, "train", 0)
    state, _ = family.reset(tasks, rng)
    highest = 0.0
    for t in range(400):
        if t % 3 == 0:
            action = torch.sign(torch.rand(18, 8, generator=rng) - 0.5)
        transition = family.step(tasks, state, action, rng)
        state = transition.state
        highest = max(highest, float(state.position[:, 2].max()))
        assert not transition.terminated.any()
        for i, walls in enumerate(family.walls_of(tasks)):
            assert not inside(walls, state.torso[i : i + 1].numpy()).any()
            assert (np.abs(state.torso[i].numpy() - (6, 0)) < (9, 9)).all()
    assert highest > 1.5, "they jump"


def test_progress_is_paid_by_the_metre():
    family = ant_maze(all_nine=True, stand_every=0)
    names = [RIGHT, "up", "down", "right, right, up", "right, right, down"]
    tasks = tasks_of(family, names)
    transition = family.step(
        tasks, at(family, tasks, [(0.5, 0.5)] * 5, (2.0, 1.0)), still(5), torch_generator(0)
    )
    x, y = (transition.state.torso - torch.tensor([0.5, 0.5])).T / 0.05
    assert (x > 1.5).all()
    assert (y > 0.7).all()
    # Goals (12, 0) (0, 6) (0, -6) (12, ±6)
    wanted = torch.stack([x[0] - y[0], -x[1] + y[1], -x[2] - y[2], x[3] + y[3], x[4] - y[4]])
    assert torch.allclose(transition.reward, wanted)


def test_rewards_add_up_to_the_way_made_steps_aside_included():
    family = ant_maze(stand_every=7)
    rng = torch_generator(2)
    tasks = family.sample(14, "train", 0)
    state = at(family, tasks, np.random.default_rng(0).uniform(-2.9, 2.9, (14, 2)), clock=6)
    start = (state.torso - tasks.goal).abs().sum(1)
    total = torch.zeros(14, dtype=torch.float64)
    aside = 0
    for _ in range(50):
        before = state
        transition = family.step(tasks, state, torch.rand(14, 8, generator=rng) * 2 - 1, rng)
        state = transition.state
        total = total + transition.reward
        aside += int(((state.torso - before.torso).norm(dim=1) > 0.3).sum())
    assert torch.allclose(total * 0.05, start - (state.torso - tasks.goal).abs().sum(1))
    assert aside > 5, "ants near walls are moved off them"


def test_the_obstacle_course_pays_in_the_goals_square_only():
    family = ant_obstacle()
    tasks = family.sample(8, "test", 0)
    way = [(0, 0), (0, 6), (6, 6), (6, 12), (12, 12), (12, 18), (14.5, 18), (15.5, 18)]
    state = at(family, tasks, way)
    assert not inside(family.layouts.walls[0], np.array(way)).any()
    transition = family.step(tasks, state, still(8), torch_generator(0))
    assert transition.reward.tolist() == [0.0] * 7 + [1.0]
    assert transition.success.tolist() == [False] * 7 + [True]
    blocked = np.array(
        [
            (3.25, 0),
            (-3.25, 6),
            (0, 9.25),
            (6, 2.75),
            (9.25, 6),
            (6, 15.25),
            (12, 21.25),
            (15.25, 12),
        ]
    )
    assert inside(family.layouts.walls[0], blocked).all(), (
        "neither a second step right, nor a second one up"
    )


@pytest.mark.parametrize("family", [ant_obstacle(), ant_maze()], ids=["obstacle", "maze"])
def test_the_ant_stands_anew_when_it_must_and_only_then(family):
    tasks = family.sample(6, "train", 0)
    rng = torch_generator(3)
    state, _ = family.reset(tasks, rng)
    assert state.clock.tolist() == [0] * 6
    fallen = state._replace(clock=torch.tensor([198, 199, 199, 399, 400, 0]))
    fallen.position[:, 2] = 0.3
    fallen.position[:, 3:7] = torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64)  # on its back
    transition = family.step(tasks, fallen, still(6), rng)
    up = (transition.state.position[:, 3] - 1).abs() <= 0.1
    assert up.tolist() == [False, True, True, True, False, False]
    assert transition.state.clock.tolist() == [199, 200, 200, 400, 401, 1]
    stood = transition.state.position[up]
    assert ((stood[:, 2:] - torch.from_numpy(family.models.base.qpos0)[2:]).abs() <= 0.1).all()
    assert (stood[:, :2] - fallen.position[up, :2]).abs().max() < 0.1, (
        "in a square's middle nothing moves aside"
    )
    assert not torch.equal(stood[0, 2:], stood[1, 2:]), "each stands in its own way"
    shown = torch.cat([transition.state.position, transition.state.velocity], 1)
    assert torch.equal(transition.observation, shown), "the agent sees how it stands"
    assert torch.equal(transition.state.torso, transition.state.position[:, :2])


def test_stand_every_zero_is_never():
    family = ant_maze(stand_every=0)
    tasks = family.sample(2, "train", 0)
    state = at(family, tasks, np.zeros((2, 2)), clock=399)
    state.position[:, 3:7] = torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    assert (
        family.step(tasks, state, still(2), torch_generator(0)).state.position[:, 3].abs() < 0.5
    ).all()


def test_an_ant_at_a_wall_stands_beside_it():
    family = ant_maze(all_nine=True, stand_every=1)
    tasks = tasks_of(family, ["up"] * 64)
    rng = torch_generator(0)
    transition = family.step(tasks, at(family, tasks, [(2.5, 0.0)] * 64), still(64), rng)
    assert torch.allclose(transition.state.torso[:, 0], torch.tensor(1.9, dtype=torch.float64))
    resting = ant_maze(all_nine=True, stand_every=0)
    fastest = 0.0
    away = ant_in_hall()
    state = transition.state
    free = transition.state
    for _ in range(8):  # then legs have slipped outwards and may touch it
        state = resting.step(tasks, state, still(64), rng).state
        free = away.step(away.sample(64, "train", 0), free, still(64), rng).state
        fastest = max(fastest, float((state.velocity - free.velocity).abs()[:, :3].max()))
    assert fastest < 0.5, "no wall pushes it off"


def test_episodes_last_until_the_horizon_and_are_truncated():
    family = ant_obstacle(horizon=4, stand_every=3)
    env = MetaEpisodeEnv(family, Episodes(2), 3, torch_generator(0))
    tasks = family.sample(3, "train", 0)
    env.reset(lambda rows, counts: tasks[rows])
    ends = []
    for _ in range(8):
        outcome = env.step(still(3).float())[1]
        ends.append((bool(outcome.terminated.any()), bool(outcome.truncated.all())))
    assert ends == [(False, t in (3, 7)) for t in range(8)]


def test_rows_of_different_mazes_play_as_alone():
    family = ant_maze(all_nine=True)
    rng = torch_generator(4)
    tasks = family.sample(9, "train", 0)
    state = at(family, tasks, [(2.2, 0.0)] * 9, (4.0, 1.0))
    action = torch.rand(9, 8, generator=rng, dtype=torch.float64) * 2 - 1
    for _ in range(12):
        before = state
        state = family.step(tasks, state, action, torch_generator(0)).state
        for i in (0, 4, 8):
            alone = family.step(
                tasks[[i]],
                CourseState(*(part[[i]] for part in before)),
                action[[i]],
                torch_generator(0),
            ).state
            assert torch.equal(alone.position[0], state.position[i])
    assert float(state.torso[:, 0].max()) > 3.5 > 2.8 > float(state.torso[:, 0].min()), (
        "some have a wall there"
    )


def test_bounds():
    obstacle = ant_obstacle(horizon=30)
    maze = ant_maze(all_nine=True, side=4.0)
    assert obstacle.upper_bound(obstacle.sample(2, "test", 0), 3).tolist() == [90.0, 90.0]
    tasks = tasks_of(maze, ["up", "right, right, down"])
    assert torch.allclose(
        maze.upper_bound(tasks, 2), 2 * torch.tensor([4.2, 12.2], dtype=torch.float64) / 0.05
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ant_obstacle(side=2.0), "side of more than 2.2 m"),
        (lambda: ant_maze(stand_every=-1), "AntMaze-v0: stand_every is a number of steps"),
        (lambda: ant_maze(horizon=0), "AntMaze-v0: horizon must be at least 1, not 0"),
        (lambda: metarl.make("AntMaze-v0", all_nine=2), "all_nine must be true or false"),
    ],
)
def test_bad_arguments_get_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_pictures_show_walls_and_goal():
    family = ant_maze(all_nine=True)
    tasks = tasks_of(family, ["up", "down"])
    state, _ = family.reset(tasks, torch_generator(0))
    pictures = family.render(tasks, state)
    assert (pictures.shape, pictures.dtype) == ((2, 150, 200, 3), torch.uint8)
    assert not torch.equal(pictures[0], pictures[1])
    along = CourseState(*(part[:1].expand(3, *part.shape[1:]) for part in state))
    up, down = (family.render_path(tasks[[i]], along, 2).numpy().astype(int) for i in (0, 1))
    for picture, half in ((up, slice(0, 120)), (down, slice(120, 240))):
        green = (picture[..., 1] > picture[..., 0] + 100) & (picture[..., 1] > 140)
        assert green.any()
        assert green[half].sum() == green.sum()
        grey = (np.abs(picture - 120) < 4).all(-1)
        assert grey.sum() > 500
