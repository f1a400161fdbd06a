"""Own distributions, learners and agents, by an id of their own or as module:attribute."""

import gymnasium as gym
import pytest

import metarl
from metarl.baselines.registry import agent_names
from metarl.experiments.run import train
from metarl.experiments.run_config import RunConfig
from metarl.learners.registry import learner_class, learner_name, learner_names
from metarl.tasks import entries
from metarl.tasks.registry import distribution_ids
from tests.experiments.tiny_learner import TinyConfig
from tests.own_things import MyAgent, MyBandit, MyLearner, three_arms, two_arms

HERE = "tests.own_things"


@pytest.fixture(autouse=True)
def nothing_stays_registered(monkeypatch):
    monkeypatch.setattr(entries, "_added", {})
    known = dict(gym.registry)
    yield
    for name in set(gym.registry) - set(known):
        del gym.registry[name]


@pytest.mark.parametrize("factory", [MyBandit, two_arms, three_arms, lambda: MyBandit(4)])
def test_a_registered_distribution_is_known_wherever_an_id_is(factory):
    metarl.register("MyBandit-v0", factory)
    made = metarl.make("MyBandit-v0")
    assert isinstance(made, MyBandit)
    assert "MyBandit-v0" in distribution_ids()
    assert metarl.evaluate("random", "MyBandit-v0", "test", 3, 0, 2).num_tasks == 3
    assert gym.make("metarl/MyBandit-v0").action_space == made.action_space
    with pytest.raises(ValueError, match="no argument legs|takes no arguments"):
        metarl.make("MyBandit-v0", legs=2)


def test_registered_learners_and_agents_are_known_too():
    metarl.register("my-learner", MyLearner, "learner")
    metarl.register("my-agent", MyAgent, kind="agent")
    assert "my-learner" in learner_names()
    assert "my-agent" in agent_names()
    learner = metarl.make_learner("my-learner", "BernoulliBandit-v0")
    assert learner_name(learner) == "my-learner"
    assert isinstance(metarl.make_agent("my-agent", "BernoulliBandit-v0", 3), MyAgent)


def test_a_cell_that_runs_again_replaces_what_it_defined():
    for arms in (2, 3):

        def family(arms=arms):
            return MyBandit(arms)

        metarl.register("Cell-v0", family)
        assert metarl.make("Cell-v0").arms == arms


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("MyBandit", MyBandit), "such as 'MyMaze-v0', which ends in a version; 'MyBandit' isn't"),
        (("my bandit-v0", MyBandit), "'my bandit-v0' isn't"),
        ((3, MyBandit), "; 3 isn't"),
        (("", MyLearner, "learner"), "such as 'my-learner'; '' isn't"),
        (("CartPole-v0", MyBandit), "a distribution 'CartPole-v0' already"),
        (("rl2", MyLearner, "learner"), "a learner 'rl2' already"),
        (("thompson", MyAgent, "agent"), "an? agent 'thompson' already"),
        (("Mine-v0", MyLearner), 'register it with kind="learner"'),
        (("Mine-v0", MyAgent), 'register it with kind="agent"'),
        (("Mine-v0", "my_module:MyMaze"), "A class or function that makes the distribution is needed"),
        (("Mine-v0", 3), "is needed, or a distribution, not 3"),
        (("mine", MyBandit, "learner"), "The class of a learner is needed, not the class MyBandit; it lacks Config, update"),
        (("mine", two_arms, "agent"), "The class of an agent is needed, not "),
        (("mine", MyAgent, "player"), "kind must be one of distribution, learner, agent, not 'player'"),
    ],
)
def test_what_cannot_be_registered_gets_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        metarl.register(*arguments)
    assert not any(entries._added.values())


def test_an_id_of_something_that_makes_no_distribution_says_so_when_it_is_made():
    metarl.register("Nothing-v0", lambda: None)
    with pytest.raises(ValueError, match="Nothing-v0 should make a TaskDistribution"):
        metarl.make("Nothing-v0")


def test_module_and_attribute_name_anything():
    assert metarl.make(f"{HERE}:MyBandit", arms=4).arms == 4
    assert metarl.make(f"{HERE}:two_arms").arms == 2
    assert metarl.make(f"{HERE}:three_arms") is three_arms
    assert metarl.make(f"{HERE}:MyBandit/revealed").wrapped.arms == 3
    assert learner_class(f"{HERE}:MyLearner") is MyLearner
    assert isinstance(metarl.make_agent(f"{HERE}:MyAgent", f"{HERE}:MyBandit", 2), MyAgent)


def test_a_run_of_module_and_attribute_is_loaded_by_them(tmp_path):
    run = RunConfig(f"{HERE}:MyLearner", TinyConfig(), f"{HERE}:MyBandit", {"arms": 4})
    train(run, tmp_path, show=False)
    agent = metarl.load_agent(tmp_path)
    assert metarl.evaluate(agent, f"{HERE}:MyBandit", "test", 3, 0, 2).num_tasks == 3


NEEDY = """
import gymnasium

def needy(size, *, shape, colour=None): ...

class Robot(gymnasium.Env):
    def __init__(self, mass): ...

def robot():
    return Robot(1.0)
"""


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("not_there:MyBandit", "There is no module 'not_there' for the distribution .* PYTHONPATH"),
        ("tests.not_there:MyBandit", "There is no module 'tests.not_there'"),
        (f"{HERE}:MyBandits", f"The module '{HERE}' has no 'MyBandits' .* Did you mean 'MyBandit'"),
        ("my_module.py:MyBandit", "Leave .py out: my_module:MyBandit"),
        (f"{HERE}:", "as module:attribute, such as my_module:MyThing"),
        (":MyBandit", "as module:attribute, such as my_module:MyThing"),
        (f"{HERE}:HERE:THERE", "as module:attribute, such as my_module:MyThing"),
        (f"{HERE}:MyAgent", "can't be made with|should make a TaskDistribution"),
        (f"{HERE}:__doc__", "makes no distribution"),
        ("broken_module:MyBandit", "The module 'broken_module' can't be imported: ZeroDivisionError: division by zero"),
        ("lacking_module:MyBandit", "The module 'lacking_module' can't be imported: ModuleNotFoundError: No module named 'absent'"),
        ("spelled_module:MyBandit", "The module 'spelled_module' can't be imported: SyntaxError"),
        ("script_module:MyBandit", "The module 'script_module' ends the program when it is imported: .* __name__ =="),
        ("needy_module:needy", "can't be made with {}: it needs size and shape, .* --distribution-args size=... shape=..."),
        ("needy_module:Robot", "it needs mass, .* metarl.GymnasiumDistribution"),
        ("needy_module:robot", "it made .* metarl.GymnasiumDistribution"),
    ],
)
def test_names_that_lead_nowhere_get_a_sentence(name, sentence, tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    (tmp_path / "lacking_module.py").write_text("import absent\n")
    (tmp_path / "spelled_module.py").write_text("class\n")
    (tmp_path / "script_module.py").write_text("import argparse\nargparse.ArgumentParser().parse_args(['--help'])\n")
    (tmp_path / "needy_module.py").write_text(NEEDY)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=sentence):
        metarl.make(name)


def test_wrong_kinds_of_learners_and_agents_get_a_sentence():
    with pytest.raises(ValueError, match=r"the class MyBandit and no learner: it lacks Config"):
        metarl.make_learner(f"{HERE}:MyBandit", "BernoulliBandit-v0")
    with pytest.raises(ValueError, match=r"the class MyLearner and no agent: it lacks act, supports"):
        metarl.make_agent(f"{HERE}:MyLearner", "BernoulliBandit-v0", 2)


def test_the_command_finds_modules_in_the_folder_where_it_is_given(tmp_path, monkeypatch, capsys):
    from metarl.cli import main

    (tmp_path / "beside_me.py").write_text("from tests.own_things import MyBandit\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in __import__("sys").path if entry])
    flags = ["--iterations", "1", "--num-envs", "4", "--ppo.minibatches", "1", "--folder", "run"]
    main(["train", "rl2", "--distribution", "beside_me:MyBandit", *flags])
    assert "Trained: run" in capsys.readouterr().out
    assert metarl.load_learner("run").distribution.id == "MyBandit-v0"
