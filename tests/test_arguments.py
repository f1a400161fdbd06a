"""What is given where a distribution, an agent, a budget or settings are meant.

The obvious is taken, all else gets a sentence.
"""

import gymnasium as gym
import pytest
import torch

import metarl
from metarl.core.budget import Episodes, Steps
from metarl.interop.gymnasium_env import MetaEpisodeGymnasium, MetaEpisodeVector
from metarl.interop.stable_baselines3 import vec_env
from metarl.learners.memory.rl2 import RL2, RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.registry import LEARNERS, SUPERVISED_LEARNERS, learner_class
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit

ALL = dict.fromkeys(LEARNERS, "CartPole-v0") | dict.fromkeys(
    SUPERVISED_LEARNERS, "SineRegression-v0"
)
SMALL = RL2Config(episodes=2, num_envs=4, iterations=2, ppo=PPOConfig(minibatches=1))


def kind_of(name):
    if "learn2learn" in name:
        pytest.importorskip("learn2learn")
    return learner_class(name)


def rng():
    return torch.Generator().manual_seed(0)


# every public way to say what is played
PLAYED = {
    "make_agent": lambda d: metarl.make_agent("random", d, 2),
    "make_learner": lambda d: metarl.make_learner("rl2", d, SMALL),
    "evaluate": lambda d: metarl.evaluate("random", d, "test", 2, 0, 2),
    "MetaEpisodeEnv": lambda d: metarl.MetaEpisodeEnv(d, 2, 3, rng()),
    "MetaEpisodeGymnasium": lambda d: MetaEpisodeGymnasium(d, 2),
    "MetaEpisodeVector": lambda d: MetaEpisodeVector(d, 2, num_envs=2),
    "vec_env": lambda d: vec_env(d, 2, 2),
}
LEARNED = {name: lambda d, name=name: kind_of(name)(kind_of(name).Config(), d) for name in ALL}
WRONG = {
    "nothing": (None, "A distribution or its id is needed, .* not None"),
    "a number": (3, "not 3"),
    "an unknown id": ("CartPol-v0", "Did you mean 'CartPole-v0'"),
    "its class": (BernoulliBandit, r"not the class BernoulliBandit. Make one: BernoulliBandit\(\)"),
    "an environment": (gym.make("CartPole-v1"), "metarl.GymnasiumDistribution"),
    "an environment's class": (gym.Env, "metarl.GymnasiumDistribution"),
    "settings": (SMALL, "Settings come before the distribution"),
    "a learner": (RL2(SMALL, "BernoulliBandit-v0"), "This is a learner"),
    "a list": (["CartPole-v0"], "not \\['CartPole-v0'\\]"),
}


@pytest.mark.parametrize("use", [*PLAYED])
def test_an_id_stands_for_its_distribution(use):
    PLAYED[use]("BernoulliBandit-v0")


@pytest.mark.parametrize("name", [*ALL])
def test_every_learner_takes_an_id_and_says_what_it_is(name):
    learner = LEARNED[name](ALL[name])
    assert repr(learner.distribution) == repr(metarl.make(ALL[name]))
    assert tuple(learner.seeds) == (0,)
    assert repr(learner).startswith(f"<{type(learner).__name__} on metarl.make('{ALL[name]}'")


@pytest.mark.parametrize("wrong", [*WRONG])
@pytest.mark.parametrize("use", [*PLAYED, *ALL, "evaluate_supervised"])
def test_anything_else_in_a_distributions_place_gets_a_sentence(use, wrong):
    supervised = {
        "evaluate_supervised": lambda d: metarl.evaluate_supervised(None, d, "test", 2, 0)
    }
    value, sentence = WRONG[wrong]
    with pytest.raises(ValueError, match=sentence):
        {**PLAYED, **LEARNED, **supervised}[use](value)


@pytest.mark.parametrize("use", [*PLAYED, *LEARNERS])
def test_examples_in_place_of_episodes_get_a_sentence(use):
    with pytest.raises(
        ValueError,
        match=r"examples rather than episodes|plays episodes; SineRegression-v0 has none",
    ):
        {**PLAYED, **LEARNED}[use]("SineRegression-v0")


@pytest.mark.parametrize("use", [*SUPERVISED_LEARNERS])
def test_episodes_in_place_of_examples_get_a_sentence(use):
    with pytest.raises(ValueError, match="learns supervised tasks, such as SineRegression-v0"):
        LEARNED[use]("CartPole-v0")


@pytest.mark.parametrize("name", [*ALL])
def test_settings_of_another_kind_get_a_sentence(name):
    kind = kind_of(name)
    id = ALL[name]
    own = kind.Config.__name__
    for config, sentence in (
        (None, rf"as {own}\(\), not None"),
        ({}, rf"{own}\(\*\*settings\)"),
        (kind.Config, rf"not the class {own}. Make one"),
        (PPOConfig(), "a PPOConfig. Those are settings of another learner"),
        (id, "Settings come before the distribution"),
        (metarl.make(id), "Settings come before the distribution"),
    ):
        with pytest.raises(ValueError, match=sentence):
            kind(config, id)
        if config is not None:
            with pytest.raises(ValueError, match=sentence):
                metarl.make_learner(name, id, config)
    for seed in ([0, 0], None, "0", 1.5):
        with pytest.raises(ValueError, match="integer|seed must be a whole number"):
            kind(kind.Config(), id, seed)


def test_a_learner_or_an_id_plays_in_place_of_an_agent():
    bandit = metarl.make("BernoulliBandit-v0")
    learner = RL2(SMALL, "BernoulliBandit-v0")
    for given, meant in (
        (learner, learner.agent(Episodes(3))),
        ("thompson", metarl.make_agent("thompson", bandit, 3)),
    ):
        one, other = (metarl.evaluate(agent, bandit, "test", 20, 0, 3) for agent in (given, meant))
        assert one.returns.tolist() == other.returns.tolist()
    sines = metarl.make_learner("maml", "SineRegression-v0")
    one, other = (
        metarl.evaluate_supervised(each, "SineRegression-v0", "test", 3, 0, 2)
        for each in (sines, sines.adapter())
    )
    assert one.losses.tolist() == other.losses.tolist()


@pytest.mark.parametrize(
    ("agent", "sentence"),
    [
        (None, "An agent has the methods initial_state and act; None lacks them"),
        (3, "3 lacks them"),
        (
            RL2,
            (
                r"An agent is needed, not the class RL2: make one, such as RL2\(config,"
                r" distribution, seed=0\)"
            ),
        ),
        ("tompson", "Did you mean 'thompson'"),
        ("psrl", "can't play"),
        (
            "runs/bandits",
            r"Where that is the folder of a run, give metarl.load_agent\('runs/bandits'\)",
        ),
        (
            RL2(SMALL, "BernoulliBandit-v0", (0, 1)),
            r"trains the seeds 0, 1: score learner.agent\(budget, seed_index\) of each",
        ),
        (metarl.make_learner("maml", "SineRegression-v0"), "evaluate_supervised"),
        (RL2(SMALL, "CartPole-v0"), "made for"),
    ],
)
def test_anything_else_in_an_agents_place_gets_a_sentence(agent, sentence):
    with pytest.raises(ValueError, match=sentence):
        metarl.evaluate(agent, "BernoulliBandit-v0", "test", 3, 0, 2)


@pytest.mark.parametrize(
    "adapter", [None, "maml", RL2(SMALL, "BernoulliBandit-v0"), learner_class("maml")]
)
def test_anything_else_in_an_adapters_place_gets_a_sentence(adapter):
    with pytest.raises(ValueError, match="An adapter is needed"):
        metarl.evaluate_supervised(adapter, "SineRegression-v0", "test", 3, 0)


# every public way to say how long
TIMED = {
    "make_agent": lambda b: metarl.make_agent("random", "BernoulliBandit-v0", b),
    "evaluate": lambda b: metarl.evaluate("random", "BernoulliBandit-v0", "test", 2, 0, b),
    "MetaEpisodeEnv": lambda b: metarl.MetaEpisodeEnv("BernoulliBandit-v0", b, 3, rng()),
    "MetaEpisodeGymnasium": lambda b: MetaEpisodeGymnasium("BernoulliBandit-v0", b),
    "vec_env": lambda b: vec_env("BernoulliBandit-v0", 2, b),
    **{name: lambda b, name=name: LEARNED[name]("CartPole-v0").agent(b) for name in LEARNERS},
}


@pytest.mark.parametrize("use", [*TIMED])
def test_a_number_is_a_budget_of_episodes_and_all_else_gets_a_sentence(use):
    TIMED[use](2)
    # Without a budget, vec_env takes its default
    none = () if use == "vec_env" else (None,)
    for wrong in (2.5, True, "10", *none, Episodes):
        with pytest.raises(ValueError, match="budget must be a number of episodes"):
            TIMED[use](wrong)


def test_arguments_in_another_order_get_a_sentence():
    with pytest.raises(ValueError, match="The distribution comes before the budget"):
        metarl.make_agent("thompson", Steps(10), "BernoulliBandit-v0")
    with pytest.raises(ValueError, match="after it in make_learner"):
        metarl.make_learner("rl2", SMALL, "BernoulliBandit-v0")
    with pytest.raises(ValueError, match="The id of a learner is needed"):
        metarl.make_learner(BernoulliBandit(), "rl2")
    with pytest.raises(ValueError, match="The id of an agent is needed"):
        metarl.make_agent(BernoulliBandit(), "thompson", 10)
    with pytest.raises(ValueError, match="An agent has the methods"):
        metarl.evaluate(BernoulliBandit(), "BernoulliBandit-v0", "test", 3, 0)
    with pytest.raises(ValueError, match="rng must be a torch.Generator"):
        metarl.MetaEpisodeEnv("BernoulliBandit-v0", 2, 3, 0)


def test_an_id_may_be_written_as_gymnasium_has_it():
    assert repr(metarl.make("metarl/CartPole-v0")) == repr(metarl.make("CartPole-v0"))


@pytest.mark.parametrize("folder", [None, 3, RL2(SMALL, "BernoulliBandit-v0")])
def test_what_is_no_folder_gets_a_sentence(folder):
    learner = RL2(SMALL, "BernoulliBandit-v0")
    uses = (
        metarl.load_agent,
        metarl.load_learner,
        lambda f: metarl.train(learner, f),
        lambda f: metarl.save(learner, f),
    )
    for use in uses:
        with pytest.raises(ValueError, match="A folder is named by its path"):
            use(folder)


@pytest.mark.parametrize("rows", [0, -1, 2.5, "2", None])
def test_rows_are_counted_in_whole_numbers(rows):
    for make in (
        lambda: metarl.MetaEpisodeEnv("BernoulliBandit-v0", 2, rows, rng()),
        lambda: gym.make_vec("metarl/BernoulliBandit-v0", num_envs=rows),
        lambda: vec_env("BernoulliBandit-v0", rows),
    ):
        with pytest.raises(ValueError, match=r"num_envs must be (a whole number|at least 1)"):
            make()


def test_a_name_that_there_is_not_is_told_from_its_nearest():
    with pytest.raises(AttributeError, match="'evalute'. Did you mean 'evaluate'"):
        _ = metarl.evalute


def test_the_package_shows_its_public_names():
    assert {"register", "train", "save", "from_sb3", "make", "evaluate"} <= set(dir(metarl))
    assert all(name.startswith("__") or getattr(metarl, name).__doc__ for name in dir(metarl))
