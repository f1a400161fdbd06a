"""The splits of Atari's flavours.

Apart, complete, alike in their actions, and different in play.
"""

import numpy as np
import pytest
import torch

import metarl
from metarl.core.budget import Steps
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.tasks.games.atari_flavours import FLAVOURS, AtariFlavours
from metarl.tasks.games.atari_game import AtariGame, Flavour


def pairs(distribution, split):
    return [(flavour.mode, flavour.difficulty) for flavour in distribution.task_lists[split]]


@pytest.mark.parametrize("game", FLAVOURS)
def test_test_flavours_are_held_out_and_combine_what_training_shows_apart(game):
    train = FLAVOURS[game]["train"]
    test = FLAVOURS[game]["test"]
    assert len({*train, *test}) == len(train) + len(test)
    assert len(test) >= 2
    assert {difficulty for _, difficulty in test} <= {difficulty for _, difficulty in train}
    if game == "space_invaders":
        assert all(any(mode & bit for mode, _ in train) for bit in (1, 2, 4, 8))
        assert not {mode for mode, _ in train} & {mode for mode, _ in test}


@pytest.mark.parametrize("game", FLAVOURS)
def test_all_flavours_share_their_actions_and_no_two_play_alike(game):
    names = set()
    memories = set()
    for mode, difficulty in (*FLAVOURS[game]["train"], *FLAVOURS[game]["test"]):
        env = AtariGame(Flavour(game, mode, difficulty), stickiness=0.0)
        moves = np.random.default_rng(0)
        names.add(tuple(env.action_names))
        env.reset(seed=0)
        memory = []
        for _ in range(100):
            # Most often up, or FIRE
            action = 1 if moves.random() < 0.7 else moves.integers(env.action_space.n)
            memory += [env.step(action)[0].tobytes(), env._console.getRAM().tobytes()]
        memories.add(tuple(memory))
    assert len(names) == 1
    assert len(memories) == sum(map(len, FLAVOURS[game].values()))


def picture(game, mode, difficulty, steps=40, action=0):
    """Grey screen [210, 160] after some steps of one action."""
    env = AtariGame(Flavour(game, mode, difficulty), stickiness=0.0)
    env.reset(seed=0)
    for _ in range(steps):
        observation = env.step(action)[0]
    return observation[:, :, 0]


def test_switches_do_what_the_data_sheet_says():
    bricks = slice(57, 93)
    assert picture("breakout", 0, 0)[bricks, 8:152].all()
    assert not picture("breakout", 12, 0)[bricks, 8:152].any()
    plain, small = ((picture("breakout", 0, d)[189:193, 8:152] > 0).sum() for d in (0, 1))
    assert plain > small > 0
    green = [(picture("pong", 0, d, 120)[36:190, 140:144] == 147).sum() for d in (0, 1, 2, 3)]
    assert green[0] == green[1] > green[2] == green[3] > 0
    # shades
    invaders = 122
    cannon = 98
    assert (picture("space_invaders", 0, 0, 1) == invaders).any()
    assert not (picture("space_invaders", 8, 0, 1) == invaders).any()
    wide, narrow = ((picture("space_invaders", 0, d, 1) == cannon).sum() for d in (1, 0))
    assert wide > narrow
    rows = [(picture("freeway", mode, 0)[23:185, 8:] != 142).sum() for mode in (0, 1, 3)]
    assert rows[0] < rows[1]
    assert rows[0] < rows[2]


def test_what_a_distribution_says_of_itself():
    distribution = metarl.make("AtariFlavours-v0", game="pong", reward_scale=0.1, horizon=30)
    assert pairs(distribution, "test") == [(0, 3), (1, 2)]
    assert (distribution.id, distribution.horizon, distribution.action_space.n) == (
        "AtariFlavours-v0",
        30,
        6,
    )
    assert repr(distribution.task_lists["test"][0]) == "pong mode 0 difficulty 3"
    assert AtariFlavours(**distribution.config()).config() == distribution.config()


def test_flavours_of_ones_own():
    distribution = AtariFlavours("air_raid", train="1/0, 2/0", test="8/0")
    assert pairs(distribution, "train") == [(1, 0), (2, 0)]
    assert pairs(distribution, "test") == [(8, 0)]
    assert AtariFlavours("freeway", test="0/0", train="1/0").splits == ("train", "test")
    assert pairs(AtariFlavours("freeway", train="1/0"), "test") == list(FLAVOURS["freeway"]["test"])


def test_it_is_played_in_worker_processes_as_in_this_one():
    seen = []
    for workers in (0, 2):
        distribution = AtariFlavours("breakout", horizon=12, workers=workers)
        env = MetaEpisodeEnv(distribution, Steps(30), 3, torch.Generator().manual_seed(0))
        env.reset(fresh_tasks(distribution, "train", 3, 0))
        actions = torch.Generator().manual_seed(1)
        seen.append([env.step(torch.randint(4, (3,), generator=actions)) for _ in range(35)])
        env.close()
    for one, two in zip(*seen, strict=True):
        assert all(
            torch.equal(a, b) for a, b in zip((*one[0], *one[1]), (*two[0], *two[1]), strict=True)
        )
    assert seen[0][11][1].truncated.all()
    assert seen[0][0][0].observation.dtype == torch.uint8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"game": "hero"},
            (
                "no flavours of hero are named; choose breakout, freeway, pong, space_invaders, or"
                " say which"
            ),
        ),
        ({"game": "froggy"}, "ale-py has no game 'froggy'"),
        ({"test": "9/0"}, r"freeway has no mode 9; choose one of 0, 1, 2, 3, 4, 5, 6, 7\."),
        (
            {"train": "1-0"},
            "flavours are MODE/DIFFICULTY with commas between, such as 0/0,1/0, not '1-0'",
        ),
        ({"train": "2/0"}, "train task 0 and test task 0 are the same"),
        ({"horizon": 0}, "horizon must be at least 1"),
    ],
)
def test_bad_arguments_get_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        AtariFlavours(**arguments)
