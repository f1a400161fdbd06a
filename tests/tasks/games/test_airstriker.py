"""Twelve moments of Airstriker, on the real emulator."""

import gzip

import numpy as np
import pytest
import torch
from PIL import Image

import metarl
from metarl.agents.registry import make_agent
from metarl.commands.watch import WatchOptions, watch
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.evaluation.protocol import evaluate
from metarl.tasks.games.airstriker import STATES, airstriker_levels
from metarl.tasks.games.retro_emulator import RetroGame


@pytest.fixture(scope="module")
def distribution():
    return metarl.make("Airstriker-v0")


def test_the_splits_are_disjoint_and_their_states_are_there(distribution):
    train, test = (set(distribution.task_lists[split]) for split in ("train", "test"))
    assert (len(train), len(test)) == (8, 4)
    assert not train & test
    assert {path.stem for path in STATES.glob("*.state")} == {level.state for level in train | test}
    assert sum(path.stat().st_size for path in STATES.glob("*.state")) < 120_000


def test_states_hold_nothing_but_the_game():
    for path in STATES.glob("*.state"):
        state = gzip.decompress(path.read_bytes())
        assert len(state) == 1_036_288
        assert not any(state[0x24000:])  # where cores leave what the process had in its memory


def test_the_starts_look_different_and_every_ship_lives():
    screens = []
    for _, level in airstriker_levels():
        game = RetroGame(level, states=STATES)
        game.reset()
        for _ in range(60):
            screen, reward, terminated, _, info = game.step(np.zeros(12, np.int8))
            assert reward == 0
            assert not terminated
        assert info["lives"] >= 2
        screens.append(screen.copy())
        game.close()
    for i, one in enumerate(screens):
        for other in screens[:i]:
            assert (one != other).any(2).sum() > 100  # pixels


def test_random_play_scores_and_dies(distribution):
    budget = Episodes(1, 0)
    evaluation = evaluate(
        make_agent("random", distribution, budget), distribution, "test", 2, 0, budget
    )
    rows = evaluation.rows()
    assert rows["terminated"].all()
    assert rows["length"].between(80, 999).all()
    assert (rows["return"] % 20 == 0).all()
    assert rows["return"].sum() > 0


def test_each_row_has_a_worker_of_its_own(distribution):
    rows = distribution.open(3, torch_generator(0))
    assert len(rows.host._slices) == 3
    observation = rows.reset(torch.ones(3, dtype=torch.bool), distribution.sample(3, "train", 0))
    assert observation.shape == (3, 84, 84, 4)
    assert observation.dtype == torch.uint8
    assert len({observation[i].numpy().tobytes() for i in range(3)}) == 3
    rows.close()


def test_watch_shows_the_emulators_screen(tmp_path):
    sheet, animation = watch(
        None,
        WatchOptions(
            "random", "Airstriker-v0", ("horizon=40",), num_tasks=2, episodes=1, out=tmp_path
        ),
    )
    picture = np.asarray(Image.open(sheet))
    # Red ships: colours, though agents see grey
    assert ((picture[..., 0] > 150) & (picture[..., 1] < 80)).sum() > 20
    assert Image.open(animation).n_frames > 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"horizon": 0}, "horizon must be at least 1"),
        ({"frame_skip": 0}, "skip must be at least 1"),
        ({"stickiness": 1.5}, "stickiness between 0 and 1"),
        ({"level": 1}, "there is no argument level"),
    ],
)
def test_bad_arguments_get_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words):
        metarl.make("Airstriker-v0", **arguments)
