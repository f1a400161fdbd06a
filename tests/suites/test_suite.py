"""Suites as data: which runs they have, and what is wrong with them before anything runs."""

from dataclasses import replace

import pytest

from metarl.core.budget import Episodes
from metarl.suites.driver import SuitePlace, jobs_of
from metarl.suites.find import find_suite
from metarl.suites.suite import (
    Family,
    Preset,
    Reference,
    Scoring,
    Suite,
    SuiteError,
    Training,
    grid,
    planned_runs,
)

BANDIT = "BernoulliBandit-v0"


def place(tmp_path, preset):
    return SuitePlace(
        tmp_path / "runs", tmp_path / "results", Suite("mine", {"cpu": preset}), "cpu"
    )


def test_a_grid_is_every_learner_on_every_family_the_first_seed_of_all_first():
    families = [Family(BANDIT, {"arms": 3}), Family("RandomMDP-v0", without={"mlsh": "too short"})]
    preset = grid([Training("rl2"), Training("mlsh")], families, seeds=(0, 1), iterations=2)
    planned = planned_runs(preset)
    named = [(each.run.learner, each.run.distribution, each.run.seed) for each in planned]
    first = [("rl2", BANDIT), ("mlsh", BANDIT), ("rl2", "RandomMDP-v0")]
    assert named == [(*pair, seed) for seed in (0, 1) for pair in first]
    assert all(each.run.config.iterations == 2 for each in planned)
    assert all(each.run.threads == 1 for each in planned)


def test_steps_decide_the_number_of_iterations():
    training = Training("rl2", BANDIT, {"arms": 3}, steps=100_000, settings={"num_envs": 100})
    config = training.run(0).config
    assert config.iterations * config.num_envs * config.episodes == 100_000
    assert replace(training, steps=1).run(0).config.iterations == 1
    inside = replace(training, settings={"ppo.lr": 0.25, "num_envs": 2, "ppo.minibatches": 2})
    assert inside.run(0).config.ppo.lr == 0.25


def test_folders_are_named_by_what_differs_from_what_is_suggested():
    training = Training("rl2", BANDIT, {"arms": 3}, iterations=7, settings={"num_envs": 64})
    assert training.folder(5) == "rl2-BernoulliBandit-v0-arms=3-num_envs=64-seed5"
    assert replace(training, name="a-{seed}").folder(5) == "a-5"


def test_budgets_that_are_left_open_are_those_of_training():
    preset = Preset(
        (Training("rl2", BANDIT, settings={"episodes": 7}), Training("maml-rl", BANDIT)),
        (Scoring(BANDIT),),
    )
    first, second = planned_runs(preset)
    assert first.scorings[0].budget == Episodes(7)
    assert second.scorings[0].budget == Episodes(40)


def test_reference_agents_are_jobs_of_their_own_for_each_budget(tmp_path):
    preset = Preset(
        (Training("rl2", BANDIT, settings={"episodes": 7}),),
        (
            Scoring(BANDIT, agents=("random", "gittins")),
            Scoring(BANDIT, budget=Episodes(3), agents=("gittins", Reference("ucb1", {"c": 0.5}))),
        ),
    )
    jobs = jobs_of(place(tmp_path, preset))
    assert [job.name for job in jobs] == [
        "agents/BernoulliBandit-v0-random",
        "agents/BernoulliBandit-v0-gittins",
        "agents/BernoulliBandit-v0-ucb1-c=0.5",
        "rl2-BernoulliBandit-v0-episodes=7-seed0",
    ]
    budgets = {job.name.split("-")[-1]: [each.budget for each in job.scorings] for job in jobs[:3]}
    assert budgets["gittins"] == [Episodes(7), Episodes(3)]
    assert budgets["random"] == [Episodes(7)]


def test_a_run_that_others_begin_with_stands_before_them_and_comes_along(tmp_path):
    first = Training("rl2", BANDIT, iterations=1, name="first-{seed}")
    second = Training("rl2", BANDIT, iterations=2, name="second-{seed}", start=first)
    preset = Preset((second,), (), (0, 1))
    planned = planned_runs(preset)
    assert [each.folder for each in planned] == ["first-0", "second-0", "first-1", "second-1"]
    assert [each.start for each in planned] == [None, "first-0", None, "first-1"]
    assert planned[1].run.start == planned[0].run.origin()
    chosen = jobs_of(place(tmp_path, preset), only=("second-1",))
    assert [job.name for job in chosen] == ["first-1", "second-1"]


def test_other_seeds_take_the_place_of_all():
    own = Training("rl2", BANDIT, seeds=(3,))
    planned = planned_runs(Preset((own, Training("mlsh", BANDIT)), (), (0, 1)), (7, 8))
    assert [(each.run.learner, each.run.seed) for each in planned] == [
        ("rl2", 7),
        ("mlsh", 7),
        ("rl2", 8),
        ("mlsh", 8),
    ]


@pytest.mark.parametrize(
    ("trainings", "sentence"),
    [
        ([Training("rl2", BANDIT), Training("rl2", BANDIT)], "two runs that are called"),
        (
            [Training("rl2", BANDIT, name="a"), Training("rl2", BANDIT, name="b")],
            "the same run twice, as a and as b",
        ),
        (
            [Training("rl2", BANDIT, name="a"), Training("mlsh", BANDIT, name="a")],
            "Two different runs of the suite are called a",
        ),
        ([Training("rl3", BANDIT)], "There is no learner 'rl3'"),
        ([Training("rl2", "Maze")], "There is no distribution 'Maze'"),
        ([Training("rl2", BANDIT, settings={"units": 3})], "rl2 has no setting units"),
        ([Training("rl2", BANDIT, settings={"ppo.units": 3})], "rl2 has no setting units"),
    ],
)
def test_what_is_wrong_with_runs_is_said_before_any_begins(trainings, sentence):
    with pytest.raises(ValueError, match=sentence):
        planned_runs(Preset(tuple(trainings)))


def test_what_is_wrong_with_a_suite_is_one_sentence(tmp_path):
    with pytest.raises(SuiteError, match="has no preset 'papre'; it has smoke, cpu"):
        Suite("mine", {"smoke": Preset(), "cpu": Preset()}).preset("papre")
    with pytest.raises(SuiteError, match="has no presets"):
        Suite("mine", {})
    with pytest.raises(SuiteError, match="name is that of its folders"):
        Suite("my suite/1", {"cpu": Preset()})
    with pytest.raises(SuiteError, match=r"No job of the suite mine fits 'rl3-\*'"):
        jobs_of(place(tmp_path, Preset((Training("rl2", BANDIT),))), only=("rl3-*",))
    with pytest.raises(SuiteError, match="There is no file"):
        find_suite(str(tmp_path / "none.py"))
    empty = tmp_path / "empty.py"
    empty.write_text("1 / 0")
    with pytest.raises(SuiteError, match="can't be run: ZeroDivisionError"):
        find_suite(str(empty))
    empty.write_text("SUITE = 3")
    with pytest.raises(SuiteError, match="defines no suite"):
        find_suite(str(empty))
    with pytest.raises(
        SuiteError, match="There is no suite 'everythin'. Did you mean 'everything'"
    ):
        find_suite("everythin")


def test_the_folder_of_another_suite_is_refused(tmp_path):
    preset = Preset((Training("rl2", BANDIT),))
    place(tmp_path, preset).claim()
    place(tmp_path, preset).claim()
    other = SuitePlace(tmp_path / "runs", tmp_path, Suite("mine", {"paper": preset}), "paper")
    other.root.parent.mkdir(exist_ok=True)
    (tmp_path / "runs" / "mine" / "cpu").rename(other.root)
    with pytest.raises(SuiteError, match="is the folder of another suite, mine, preset cpu"):
        other.claim()
