"""Sonic-v0.

What it says without ROMs, and, with Airstriker's ROM in their place, how it is played by the
contest's rules.
"""

import json
import shutil

import pytest
import torch

import metarl
from metarl.agents.scripted.jerk import JERK
from metarl.core.budget import Steps
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.evaluation.protocol import evaluate
from metarl.tasks.games.retro_emulator import CONSOLE
from metarl.tasks.games.sonic import Sonic
from tests.tasks.lua_scripts import game_file
from tests.tasks.retro_tree import AIRSTRIKER, S1, make_tree, rom, sha1

# in Airstriker's memory: a counter of frames, ships left, and nothing
FRAMES = 0xFF0294
SHIPS = 0xFF025B
ZERO = 0xFFFE10


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """The first game's levels and rules with Airstriker's ROM and states.

    "Sonic" runs a pixel a frame, and lives while the ship does.
    """
    tree = make_tree(tmp_path, monkeypatch)
    folder = tree / "stable" / S1
    (folder / "rom.md").write_bytes(rom(AIRSTRIKER))
    (folder / "rom.sha").write_text(sha1(rom(AIRSTRIKER)))
    places = {
        "x": (FRAMES, ">u2"),
        "lives": (SHIPS, "|u1"),
        "zone": (ZERO, "|u1"),
        "act": (ZERO, "|u1"),
    }
    info = {name: {"address": address, "type": kind} for name, (address, kind) in places.items()}
    (folder / "data.json").write_text(json.dumps({"info": info}))
    state = game_file(AIRSTRIKER, "Level1.state")
    for file in folder.glob("*.state"):
        shutil.copy(state, file)
    return folder


def test_no_rom_no_game(tmp_path, monkeypatch):
    make_tree(tmp_path, monkeypatch)
    with pytest.raises(
        ValueError,
        match="Sonic-v0 can't be played: .*isn't here; metarl retro import FOLDER brings in those",
    ):
        Sonic()


def test_the_papers_settings_are_the_defaults(stand_in):
    distribution = metarl.make("Sonic-v0", game=S1)
    assert distribution.observation_space.shape == (84, 84, 4)
    assert distribution.action_space.n == 8
    assert distribution.horizon == 4500
    assert distribution.one_per_process
    assert distribution.config() == {
        "game": S1,
        "actions": 8,
        "frame_skip": 4,
        "stickiness": 0.25,
        "size": 84,
        "grey": True,
        "stack": 4,
        "allow_backtracking": False,
        "reward_scale": 1.0,
        "horizon": 4500,
    }
    assert [len(distribution.task_lists[split]) for split in ("train", "test", "extrapolate")] == [
        13,
        4,
        8,
    ]
    assert metarl.make(
        "Sonic-v0", game=S1, actions=7, grey=False, size=64, stack=2
    ).observation_space.shape == (64, 64, 6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"game": "Sonic 4"}, "has no game 'Sonic 4'; choose all, SonicTheHedgehog-Genesis-v0 or"),
        ({"game": S1, "actions": 12}, "no button table of 12 actions; choose 5, 7 or 8"),
    ],
)
def test_bad_arguments_get_a_sentence(stand_in, arguments, words):
    with pytest.raises(ValueError, match=words):
        metarl.make("Sonic-v0", **arguments)


def test_the_contests_levels_need_roms_of_their_own(stand_in):
    distribution = Sonic(game=S1)
    assert len(distribution.sample(4, "test", 0)) == 4
    with pytest.raises(
        ValueError,
        match=(
            "the ROM of SonicTheHedgehogCustomCathy-Genesis, .*, which can't be shipped, isn't here"
        ),
    ):
        distribution.sample(1, "extrapolate", 0)


def test_the_contests_rules_pay_for_progress_and_end_with_a_life(stand_in):
    distribution = Sonic(game=S1, stickiness=0.0)
    distribution.workers = 0  # in this process, whose ROMs are stand-ins
    alone = distribution.make_env(distribution.task_lists["train"][0])
    alone.reset(seed=0)
    start = alone.step(0)[4]["x"] - 4
    alone.close()
    env = MetaEpisodeEnv(distribution, Steps(200), 1, torch_generator(0))
    try:
        env.reset(fresh_tasks(distribution, "train", 1, 0))
        paid = []
        terminated = False
        while not terminated:
            _, outcome = env.step(torch.tensor([0]))
            paid.append(float(outcome.reward))
            terminated = bool(outcome.terminated)
    finally:
        env.close()
        CONSOLE.eject()
    assert paid[:-1] == pytest.approx([4 * 9000 / (9568 - start)] * (len(paid) - 1), rel=1e-5)
    assert len(paid) == 78  # the ship that stands still is lost in frame 310


def test_jerk_plays_with_five_actions(stand_in):
    assert not JERK.supports(Sonic(game=S1))
    distribution = Sonic(game=S1, actions=5, stickiness=0.0, horizon=30)
    distribution.workers = 0  # in this process, whose ROMs are stand-ins
    try:
        rows = evaluate(
            JERK(distribution, Steps(60)), distribution, "train", 1, 0, Steps(60)
        ).rows()
    finally:
        CONSOLE.eject()
    assert rows["length"].sum() == 60
    assert (rows["return"] > 0).all()  # the stand-in runs by itself
