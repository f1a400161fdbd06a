"""What the learners of an initialisation share.

They learn, resume bit for bit, take a user's network, and refuse what doesn't fit.
"""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

import metarl
from metarl.core.learner import Learner
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.fomaml import FOMAMLConfig
from metarl.learners.initialisation.learn2learn import Learn2LearnConfig
from metarl.learners.initialisation.maml import MAML, MAMLConfig
from metarl.learners.initialisation.maml_rl import MAMLRL
from metarl.learners.initialisation.meta_sgd import MetaSGDConfig
from metarl.learners.initialisation.reptile import ReptileConfig
from metarl.learners.optimizers import SGD, Adam
from metarl.learners.registry import SUPERVISED_LEARNERS, make_learner
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from metarl.runs.checkpoint import load_state, save_state
from metarl.runs.config import RunConfig
from metarl.runs.training import train
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.tasks.made_folders import flat

NETWORK = PerceptronConfig((8,))
SMALL = {
    "fomaml": FOMAMLConfig(iterations=6, tasks=4, inner_steps=2, network=NETWORK),
    "learn2learn": Learn2LearnConfig(iterations=6, tasks=4, inner_steps=2, network=NETWORK),
    "maml": MAMLConfig(iterations=6, tasks=4, inner_steps=2, network=NETWORK),
    "meta-sgd": MetaSGDConfig(iterations=6, tasks=4, inner_steps=2, network=NETWORK),
    "reptile": ReptileConfig(
        iterations=6,
        tasks=4,
        inner_steps=2,
        batch=3,
        inner=Adam(0.01, beta1=0.0),
        outer=SGD(0.5, 0.5),
        network=NETWORK,
    ),
}
every_learner = pytest.mark.parametrize("name", SUPERVISED_LEARNERS)


def built(name, seed=0, **arguments):
    return make_learner(name, SineRegression(**arguments), SMALL[name], seed)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.trained, other.trained, strict=True))


@every_learner
def test_it_is_a_learner_whose_seed_decides(name):
    one = built(name)
    again = built(name)
    other = built(name, 1)
    assert isinstance(one, Learner)
    metrics = [learner.update() for learner in (one, again, other)]
    assert metrics[0] == metrics[1] != metrics[2]
    assert same(one, again)
    assert not same(one, other)
    assert metrics[0]["return"] == -metrics[0]["loss_last"]
    while not one.finished:
        one.update()
    assert one.iteration == 6


@every_learner
def test_it_goes_on_bit_for_bit_from_a_file(name, tmp_path):
    undisturbed = built(name)
    stopped = built(name)
    fresh = built(name, 5)
    for _ in range(3):
        undisturbed.update(), stopped.update()
    state = stopped.state_dict()
    stopped.update()  # leaves the state alone
    save_state(tmp_path / "state.safetensors", state, {})
    fresh.load_state_dict(load_state(tmp_path / "state.safetensors")[1])
    fresh.task_seed = undisturbed.task_seed  # a run's seed is not in its state: it is built with it
    assert [undisturbed.update() for _ in range(3)] == [fresh.update() for _ in range(3)]
    assert same(undisturbed, fresh)


@every_learner
def test_the_one_training_loop_takes_it(name, tmp_path):
    run = RunConfig(name, SMALL[name], "SineRegression-v0", {"points": 5}, 3)
    whole = train(run, tmp_path / "whole", show=False)
    assert RunConfig.from_identity(run.identity()).identity() == run.identity()
    again = train(run, tmp_path / "whole", show=False)  # finished: loads what is there
    assert same(whole, again)


@pytest.mark.parametrize("name", ["reptile", "fomaml", "maml"])
def test_it_learns_sines(name):
    settings = {"iterations": 150, "tasks": 16, "network": PerceptronConfig((32, 32))}
    config = {
        "reptile": ReptileConfig(**settings, inner_steps=10, inner=Adam(0.01, beta1=0.0)),
        "fomaml": FOMAMLConfig(**settings, outer=Adam(0.01)),
        "maml": MAMLConfig(**settings, outer=Adam(0.01)),
    }[name]
    learner = make_learner(name, SineRegression(points=50 if name == "reptile" else 10), config)
    before = metarl.evaluate_supervised(learner.adapter(), SineRegression(), "test", 200, 0, 10)
    while not learner.finished:
        learner.update()
    after = metarl.evaluate_supervised(learner.adapter(), SineRegression(), "test", 200, 0, 10)
    assert after.scores().mean() < 0.75 * before.scores().mean()
    assert after.scores().mean() < 0.75 * after.scores(0).mean()


class Twice(nn.Module):
    """A user's own network, without a stacked form."""

    def __init__(self, rng):
        super().__init__()
        self.inner = Perceptron(1, 1, NETWORK, rng)

    def forward(self, inputs):
        return 2 * self.inner(inputs)


def test_a_network_of_the_users_own():
    learner = MAML(
        SMALL["maml"], SineRegression(), 0, make_network=lambda distribution, rng: Twice(rng)
    )
    losses = [learner.update()["loss_last"] for _ in range(3)]
    assert all(a != b for a, b in pairwise(losses))
    wrong = Perceptron(1, 3, NETWORK, torch.Generator())
    with pytest.raises(ValueError, match="gives .* not .*; change its last layer"):
        MAML(SMALL["maml"], SineRegression(), 0, make_network=lambda distribution, rng: wrong)


def test_the_seed_decides_a_users_network_that_draws_from_the_global_generator():
    before = torch.get_rng_state()
    make = lambda distribution, rng: nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))  # noqa: E731
    one = MAML(SMALL["maml"], SineRegression(), 0, make_network=make)
    torch.rand(3)
    again, other = (
        MAML(SMALL["maml"], SineRegression(), seed, make_network=make) for seed in (0, 1)
    )
    assert same(one, again)
    assert not same(one, other)
    torch.set_rng_state(before)
    MAML(SMALL["maml"], SineRegression(), 0, make_network=make)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_users_frozen_layers_are_not_trained():
    def make(distribution, rng):
        network = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
        network[0].requires_grad_(False)
        return network

    learner = MAML(SMALL["maml"], SineRegression(), 0, make_network=make)
    first = learner.problem.network.network[0].weight.clone()
    assert learner.names == ["2.weight", "2.bias"]
    start = learner.initial
    learner.update()
    assert torch.equal(learner.problem.network.network[0].weight, first)
    assert not torch.equal(learner.initial[0], start[0])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MAMLConfig(inner_steps=2.5), "inner_steps must be a whole number, not 2.5"),
        (lambda: ReptileConfig(tasks=0), "tasks must be at least 1, not 0"),
        (lambda: FOMAMLConfig(batch=1.5), "batch must be a whole number, not 1.5"),
        (lambda: MAMLConfig(inner_lr=float("nan")), "inner_lr must be a number, not nan"),
        (lambda: MetaSGDConfig(inner_lr=float("nan")), "inner_lr must be a number, not nan"),
        (lambda: Learn2LearnConfig(inner_lr=float("nan")), "inner_lr must be a number, not nan"),
        (lambda: Adaptation(inner_lr=float("nan")), "inner_lr must be a number, not nan"),
        (lambda: Adaptation(episodes=1.5), "episodes must be a whole number, not 1.5"),
        (lambda: MAMLRL.Config(inner_steps=2.5), "inner_steps must be a whole number, not 2.5"),
        (
            lambda: FOMAMLConfig(tail="shared"),
            "give batch, fewer examples than a task's support has, or take tail='query'",
        ),
    ],
)
def test_bad_settings_get_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@every_learner
def test_images_are_learned_by_an_image_network_that_the_config_names(name, tmp_path):
    arguments = {"folder": str(flat(tmp_path / "images", 12)), "ways": 2, "size": 8}
    config = replace(SMALL[name], iterations=1, network=ImageNetworkConfig(4, layers=2))
    run = RunConfig(name, config, "ImageClassification-v0", arguments)
    assert RunConfig.from_identity(run.identity()).config == config
    learner = train(run, tmp_path / "run", show=False)
    scored = metarl.evaluate_supervised(
        learner.adapter(), run.make_distribution(), "test", 4, 0, 2, transductive=False
    )
    assert scored.scores(score="accuracy").shape == (4,)


def test_a_network_of_another_kind_is_refused(tmp_path):
    images = metarl.make("ImageClassification-v0", folder=str(flat(tmp_path, 12)), ways=2)
    with pytest.raises(
        ValueError,
        match=(
            r"A perceptron reads vectors; .* have shape \(1, 28, 28\). Give"
            r" network=ImageNetworkConfig"
        ),
    ):
        MAML(SMALL["maml"], images)
    with pytest.raises(
        ValueError,
        match=r"An image network reads images; the inputs of SineRegression-v0 have shape \(1,\)",
    ):
        MAML(replace(SMALL["maml"], network=ImageNetworkConfig()), SineRegression())


def test_a_diverging_inner_loop_is_named_by_task_and_step():
    learner = MAML(
        MAMLConfig(inner_steps=40, inner_lr=1e6, tasks=2, network=PerceptronConfig((8,), "relu")),
        SineRegression(),
        0,
    )
    with pytest.raises(
        ValueError, match=r"The inner loop diverged in iteration 1: after \d+ steps in task [01]"
    ):
        learner.update()


def test_what_does_not_fit_gets_a_sentence():
    with pytest.raises(
        ValueError, match="'maml' learns from examples; BernoulliBandit-v0 has episodes"
    ):
        make_learner("maml", BernoulliBandit())
    with pytest.raises(
        ValueError,
        match=(
            "'rl2' plays episodes; SineRegression-v0 has none. Choose one of fomaml, learn2learn,"
            " maml"
        ),
    ):
        make_learner("rl2", SineRegression())
    with pytest.raises(ValueError, match="MAML learns supervised tasks"):
        MAML(MAMLConfig(), BernoulliBandit())
    with pytest.raises(ValueError, match="trains one seed at a time"):
        MAML(MAMLConfig(), SineRegression(), (0, 1))
    with pytest.raises(ValueError, match="of another network or algorithm"):
        built("maml").load_weights(built("meta-sgd").weights())


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("maml", MAMLConfig(inner_lr=30.0, tasks=4)),
        ("reptile", ReptileConfig(inner=SGD(1e38), inner_steps=1, tasks=4)),
        ("fomaml", FOMAMLConfig(inner=SGD(1e38), inner_steps=1, tasks=4)),
        ("meta-sgd", MetaSGDConfig(inner_lr=1e38, tasks=4)),
    ],
)
def test_an_update_never_leaves_weights_that_are_not_finite(name, config):
    learner = make_learner(name, SineRegression(), config)

    def go_on():
        for _ in range(50):
            learner.update()
            assert all(torch.isfinite(weight).all() for weight in learner.trained)

    with pytest.raises(
        ValueError,
        match=r"diverged in iteration \d+: (after \d+ steps in task \d|the meta-gradient)",
    ):
        go_on()
