import pytest

from metarl.experiments.commands import EvaluateOptions, TrainOptions, score_run, train_run
from metarl.learners.rl2 import RL2Config
from metarl.networks.policy import NetworkConfig


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = RL2Config(episodes=3, num_envs=16, iterations=1, network=NetworkConfig(units=8))
    options = TrainOptions(distribution="Identity-v0", distribution_args=("numbers=2", "horizon=2"), folder=folder)
    assert train_run("rl2", config, options) == folder
    return folder


def test_agents_are_scored_on_the_same_tasks(folder):
    scored = score_run(folder, EvaluateOptions(num_tasks=20, beside=("random",)))
    assert [label for label, _ in scored.entries] == ["RL²", "Random"]
    assert len({evaluation.fingerprint for _, evaluation in scored.entries}) == 1
    assert [file.name for file in scored.files] == ["test-20tasks-3episodes-seed0.csv"]


def test_a_budget_of_steps(folder):
    scored = score_run(folder, EvaluateOptions(num_tasks=20, steps=5, score="budget_mean"))
    assert scored.entries[0][1].budget.total == 5
    assert scored.files[0].name == "test-20tasks-5steps-seed0.csv"
    with pytest.raises(ValueError, match="not both"):
        score_run(folder, EvaluateOptions(steps=5, episodes=2))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (EvaluateOptions(split="tests"), "has no split 'tests'; choose one of train, test"),
        (EvaluateOptions(num_tasks=0), "at least 1, not 0"),
        (EvaluateOptions(episodes=-1), "K >= 0"),
        (EvaluateOptions(steps=0), "at least one step"),
        (EvaluateOptions(member=1), "has no member 1"),
        (EvaluateOptions(beside=("gitins",)), "Did you mean 'gittins'"),
        (EvaluateOptions(beside=("gittins",)), "can't play"),
        (EvaluateOptions(device="cuda:99"), "cpu|machine has"),
    ],
)
def test_bad_options_are_refused(folder, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        score_run(folder, options)
