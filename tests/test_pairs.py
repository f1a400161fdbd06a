"""Every learner on every family by the command: it trains and is scored, or a sentence says why the
two don't go together.

Settings are the suggested ones but for sizes, so that a pair that is suggested something impossible
fails here.
"""

import json
import subprocess
import sys
from functools import lru_cache

import pytest

import metarl.commands.train
import metarl.runs.config
from metarl.cli import main
from metarl.core.registry import DISTRIBUTIONS, SUPERVISED, make
from metarl.learners.registry import LEARNERS, SUPERVISED_LEARNERS, learner_class
from metarl.networks.inputs import is_image
from metarl.runs.store import RunFolder
from metarl.runs.suggested import KIND_OF
from tests.playable import PART_OF, playable_ids
from tests.tasks.made_folders import flat

SMALLEST = {  # of each family, instead of its usual length and size
    "AntMaze-v0": {"stand_every": 2, "horizon": 4},
    "AntObstacle-v0": {"stand_every": 2, "horizon": 4},
    "BernoulliBandit-v0": {},
    "CartPole-v0": {"horizon": 40},
    "CoinRun-v0": {"levels": 2, "test_levels": 2, "horizon": 4},
    "GaussianBandit-v0": {},
    "GlyphClassification-v0": {"ways": 2},
    "GridMaze-v0": {"size": 3, "horizon": 4},
    "MountainCar-v0": {"horizon": 120},
    "SineRegression-v0": {},
    "VisualMaze-v0": {"size": 2, "horizon": 4},
}
PPO = ["--ppo.minibatches", "1", "--ppo.epochs", "1"]
ALONE = ["--tasks", "2", "--adaptation.episodes", "1"]
ADAPTING = [*ALONE, "--inner-steps", "1"]
EXAMPLES = ["--tasks", "2", "--inner-steps", "1"]
RAINBOW = [
    "--rainbow.start",
    "4",
    "--rainbow.batch",
    "4",
    "--rainbow.replay.capacity",
    "64",
    "--rainbow.update-every",
    "4",
]
TINY = {
    "joint-ppo": ["--num-envs", "1", "--steps", "8", *PPO],
    "joint-rainbow": ["--num-envs", "1", "--steps", "8", *RAINBOW],
    "joint-rl": ALONE,
    "mlsh": ["--tasks", "1", "--steps", "4", "--warmup-updates", "1"],
    "rl2": ["--episodes", "1", "--num-envs", "1", *PPO],
    **dict.fromkeys(("fomaml-rl", "learn2learn-rl", "maml-rl", "reptile-rl"), ADAPTING),
    **dict.fromkeys(SUPERVISED_LEARNERS, EXAMPLES),
}
VECTORS_ONLY = {"fomaml-rl", "joint-rl", "learn2learn-rl", "maml-rl", "mlsh", "reptile-rl"}
# Of one class with another and of its kind, by which settings go; other ranges, bodies or tasks
LIKE = {
    "AntDirection-2way-h200-v0": "AntDirection-0to360-h200-v0",
    "HalfCheetahVelocity-0to3-h200-v0": "HalfCheetahVelocity-0to2-h200-v0",
    "HopperPhysics-v0": "HalfCheetahPhysics-v0",
    "MetaWorldML45-v0": "MetaWorldML1-v0",
    "Walker2dPhysics-v0": "HalfCheetahPhysics-v0",
}
FAMILIES = [
    family
    for family in (*DISTRIBUTIONS, *SUPERVISED)
    if family not in PART_OF and family not in LIKE
]
PAIRS = [(learner, family) for family in FAMILIES for learner in (*LEARNERS, *SUPERVISED_LEARNERS)]
# Some as a user's own processes, with workers and a refusal among them; the same in one process is
# tested for all pairs
PROCESSES = [
    ("rl2", "BernoulliBandit-v0"),
    ("joint-ppo", "CoinRun-v0"),
    ("reptile", "SineRegression-v0"),
    ("joint-rainbow", "Pendulum-v0"),
]


@lru_cache
def _made(id, arguments):
    return make(id, **json.loads(arguments))


def make_once(id, **arguments):
    """Return a distribution, made once for all learners, since it keeps no state."""
    return _made(id, json.dumps(arguments, sort_keys=True))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return flat(tmp_path_factory.mktemp("images"))


def arguments_of(family, folders):
    if family == "ImageClassification-v0":
        return {"folder": str(folders), "ways": 2}
    return SMALLEST.get(family, {"horizon": 4})


def fits(learner, family, arguments):
    """Return whether the two are meant to go together."""
    if (learner in LEARNERS) != (family in DISTRIBUTIONS):
        return False
    if family in SUPERVISED:
        return True
    distribution = make_once(family, **arguments)
    if learner == "joint-rainbow":
        return hasattr(distribution.action_space, "n") and distribution.action_space.shape == ()
    return learner not in VECTORS_ONLY or not is_image(distribution.observation_space)


def words_of(learner, family, arguments, folder):
    given = [f"{name}={value}" for name, value in arguments.items()]
    named = ["--distribution", family, *(["--distribution-args", *given] if given else [])]
    return ["train", learner, *named, "--folder", str(folder), "--iterations", "1", *TINY[learner]]


def scoring_of(learner, family, arguments, folder):
    """Return how it is scored.

    On one task where each is an environment of its own, which takes long to begin.
    """
    if learner in SUPERVISED_LEARNERS:
        return ["evaluate", str(folder), "--num-tasks", "2", "--inner-steps", "1"]
    few = make_once(family, **arguments).env_per_row
    return ["evaluate", str(folder), "--num-tasks", "1" if few else "64", "--episodes", "1"]


def check_refused(shown, learner, family):
    """A refusal is a sentence that names both (some ids tell the horizon), and what to do instead."""
    sentence = shown.split("\n")[-3 if shown.endswith("\n") else -2]
    assert sentence.startswith("metarl: "), shown
    assert "Traceback" not in shown
    assert family.replace("-h200-", "-h4-") in sentence, shown
    assert learner in sentence or learner_class(learner).__name__ in sentence, shown
    assert len(sentence.split()) > 8, shown


@pytest.mark.parametrize(("other", "family"), LIKE.items(), ids=list(LIKE))
def test_families_that_are_left_out_are_like_one_that_is_not(other, family):
    assert family in FAMILIES
    assert KIND_OF[other] == KIND_OF[family]
    assert DISTRIBUTIONS[other].partition(":")[0] == DISTRIBUTIONS[family].partition(":")[0]


@pytest.mark.parametrize(("learner", "family"), PAIRS, ids=["-on-".join(pair) for pair in PAIRS])
def test_it_trains_and_is_scored_or_says_why_not(
    learner, family, tmp_path, folders, monkeypatch, capsys
):
    for module in (metarl.commands.train, metarl.runs.config):
        monkeypatch.setattr(module, "make", make_once)
    arguments = arguments_of(family, folders)
    words = words_of(learner, family, arguments, tmp_path / "run")
    if family in DISTRIBUTIONS and family not in playable_ids():
        with pytest.raises(SystemExit, match="1"):
            main(words)
        assert f"{family} can't be played" in capsys.readouterr().err
    elif not fits(learner, family, arguments):
        with pytest.raises(SystemExit, match="1"):
            main(words)
        check_refused(capsys.readouterr().err, learner, family)
        assert not (tmp_path / "run").exists()
    else:
        main(words)
        assert "of memory" in capsys.readouterr().err
        assert RunFolder(tmp_path / "run").weights().exists()
        main(scoring_of(learner, family, arguments, tmp_path / "run"))
        assert list((tmp_path / "run" / "evaluations").glob("*.csv"))


@pytest.mark.parametrize(
    ("learner", "family"), PROCESSES, ids=["-on-".join(pair) for pair in PROCESSES]
)
def test_the_same_by_processes_of_their_own(learner, family, tmp_path, folders):
    arguments = arguments_of(family, folders)
    words = words_of(learner, family, arguments, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "metarl", *words], capture_output=True, text=True, timeout=120
    )
    if not fits(learner, family, arguments):
        assert done.returncode == 1
        check_refused(done.stderr, learner, family)
        return
    assert done.returncode == 0, done.stderr
    assert f"evaluate {tmp_path}" in done.stdout
    assert RunFolder(tmp_path).weights().exists()
