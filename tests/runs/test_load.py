import pytest

from metarl import load_agent
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.supervised import evaluate_supervised
from metarl.learners.initialisation.reptile import ReptileConfig
from metarl.learners.memory.rl2 import RL2Config
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.checkpoint import CheckpointError, load_state, save_state
from metarl.runs.config import RunConfig
from metarl.runs.load import default_budget, load_learner
from metarl.runs.store import RunFolder, RunFolderError, publish
from metarl.runs.training import train

BUDGET = Episodes(4)


def small_run(seed=0, core="gru", iterations=2):
    config = RL2Config(
        episodes=4,
        num_envs=16,
        iterations=iterations,
        network=NetworkConfig(core=core, hidden_size=8),
    )
    return RunConfig("rl2", config, "BernoulliBandit-v0", {"arms": 3}, seed)


def scores(agent, run):
    return evaluate(agent, run.make_distribution(), "test", 50, 1, BUDGET).returns


@pytest.mark.parametrize("core", ["gru", "lstm", "attention"])
def test_a_loaded_agent_acts_as_the_trained_one(tmp_path, core):
    run = small_run(core=core)
    wanted = scores(train(run, tmp_path / "run", show=False).agent(BUDGET), run)
    assert (scores(load_agent(tmp_path / "run"), run) == wanted).all()
    published = publish(tmp_path / "run", tmp_path / "results")
    assert not (published / "checkpoint.safetensors").exists()
    assert (scores(load_agent(published, BUDGET), run) == wanted).all()


def test_every_seed_is_loaded_by_its_number(tmp_path):
    run = small_run(seed=(4, 9))
    learner = train(run, tmp_path, show=False)
    for seed_index in (0, 1):
        wanted = scores(learner.agent(BUDGET, seed_index), run)
        assert (scores(load_agent(tmp_path, seed_index=seed_index), run) == wanted).all()
        RunFolder(tmp_path).weights(seed_index).unlink()
        # From the checkpoint
        assert (scores(load_agent(tmp_path, seed_index=seed_index), run) == wanted).all()
    with pytest.raises(ValueError, match="no seed number 2; it trained 2, for seeds 4, 9"):
        load_agent(tmp_path, seed_index=2)


def test_an_untrained_run_and_an_empty_folder_say_so(tmp_path):
    with pytest.raises(RunFolderError, match="holds no run"):
        load_agent(tmp_path)
    with RunFolder(tmp_path).lock():
        RunFolder(tmp_path).adopt(small_run().identity())
    with pytest.raises(RunFolderError, match="train it first"):
        load_agent(tmp_path)


def test_weights_of_another_run_or_kind_are_refused(tmp_path):
    train(small_run(), tmp_path / "first", show=False)
    train(small_run(seed=1), tmp_path / "second", show=False)
    weights = RunFolder(tmp_path / "first").weights()
    weights.write_bytes(RunFolder(tmp_path / "second").weights().read_bytes())
    with pytest.raises(CheckpointError, match=r"holds the weights of another run"):
        load_agent(tmp_path / "first")
    weights.write_bytes(RunFolder(tmp_path / "first").checkpoint.read_bytes())
    with pytest.raises(CheckpointError, match=r"holds the checkpoint of another run"):
        load_agent(tmp_path / "first")


def test_weights_that_dont_fit_are_refused(tmp_path):
    train(small_run(), tmp_path, show=False)
    file = RunFolder(tmp_path).weights()
    about, weights = load_state(file)
    name = next(iter(weights["policy"]))
    del weights["policy"][name]
    save_state(file, weights, about)
    with pytest.raises(CheckpointError, match="doesn't fit the learner 'rl2'"):
        load_agent(tmp_path)


def test_the_default_budget_is_what_was_trained_for():
    assert default_budget(small_run()) == BUDGET
    assert default_budget(RunConfig("joint-ppo", distribution="CartPole-v0")) == Episodes(1)
    endless = small_run()
    object.__setattr__(endless, "config", object())
    with pytest.raises(ValueError, match="say for how long"):
        default_budget(endless)


def test_a_supervised_runs_learner_comes_back_and_yields_its_adapter(tmp_path):
    run = RunConfig("reptile", ReptileConfig(iterations=2, tasks=2), "SineRegression-v0")
    sines = run.make_distribution()
    trained = train(run, tmp_path, show=False)
    wanted = evaluate_supervised(trained.adapter(), sines, "test", 5, 0, 2).losses
    assert (
        evaluate_supervised(load_learner(tmp_path).adapter(), sines, "test", 5, 0, 2).losses
        == wanted
    ).all()
    RunFolder(tmp_path).weights().unlink()
    # From the checkpoint
    assert (
        evaluate_supervised(load_learner(tmp_path).adapter(), sines, "test", 5, 0, 2).losses
        == wanted
    ).all()
