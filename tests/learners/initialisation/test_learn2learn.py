"""Meta-gradients are learn2learn's (Arnold et al. 2020, arXiv 2008.12284) on the same model, loss
and data, in float64.

And as a guest its algorithms learn as they do at home: the same curves as our own learners from the
same seed, the same scores.
"""

import sys
import warnings
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import metarl
from metarl.checks.global_generators import global_generators_untouched
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.supervised import Examples
from metarl.learners.initialisation.adapter import GradientAdapter
from metarl.learners.initialisation.fomaml import fomaml_gradient
from metarl.learners.initialisation.inner_loop import Problem
from metarl.learners.initialisation.learn2learn import Learn2Learn, Learn2LearnConfig
from metarl.learners.initialisation.maml import MAML, MAMLConfig, maml_gradient
from metarl.learners.initialisation.meta_sgd import MetaSGD, MetaSGDConfig, Rates, meta_sgd_gradient
from metarl.learners.optimizers import SGD, Adam
from metarl.networks.image_network import ImageNetwork, ImageNetworkConfig
from metarl.networks.per_task import PerTask
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from metarl.runs.checkpoint import load_state, save_state
from metarl.runs.config import RunConfig
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.supervised.sine_regression import SineRegression
from tests.learners.recurrent import Recurrent

TASKS = 3
STEPS = 3
LR = 0.1


class Case(NamedTuple):
    """A model with examples to adapt to and to be scored on."""

    network: nn.Module
    support: Examples
    query: Examples


@pytest.fixture(scope="module")
def algorithms():
    """learn2learn's algorithms."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Gym and torchvision, which it imports
        try:
            import learn2learn
        except ImportError:
            pytest.fail(
                "learn2learn isn't installed, which these tests compare with: run `make"
                " learn2learn`."
            )
    return learn2learn.algorithms


def classes(outputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none").view(
        targets.shape
    )


def case(kind: str) -> Case:
    rng = torch_generator(0, kind)
    network, shape = {
        "perceptron, tanh": lambda: (Perceptron(3, 5, PerceptronConfig((16, 16)), rng), (3,)),
        "perceptron, one input": lambda: (
            Perceptron(1, 5, PerceptronConfig((16,), "relu"), rng),
            (1,),
        ),
        "convolutional": lambda: (
            ImageNetwork((2, 12, 9), 5, ImageNetworkConfig(4, layers=2), rng),
            (2, 12, 9),
        ),
        "convolutional, through vmap": lambda: (Convolutional(rng), (2, 8, 8)),
        "recurrent": lambda: (Recurrent(2, 8, 5, rng), (4, 2)),
    }[kind]()
    parts = [
        Examples(
            torch.randn(TASKS, m, *shape, generator=rng, dtype=torch.float64),
            torch.randint(5, (TASKS, m), generator=rng),
        )
        for m in (6, 7)
    ]
    return Case(network.double(), *parts)


class Convolutional(nn.Module):
    """PyTorch's own layers, as a user would write them."""

    def __init__(self, rng):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(1000, (1,), generator=rng)))
            first = nn.Conv2d(2, 4, 3, 2, 1)
            second = nn.Conv2d(4, 4, 3, 2, 1)
            self.layers = nn.Sequential(
                first, nn.ReLU(), second, nn.Tanh(), nn.Flatten(), nn.Linear(16, 5)
            )

    def forward(self, images):
        return self.layers(images)


def theirs(learner, network: nn.Module, data: Case) -> None:
    """Leave in `network` the gradient that learn2learn finds, task by task."""
    for i in range(TASKS):
        clone = learner.clone()
        for _ in range(STEPS):
            clone.adapt(cross_entropy(clone(data.support.inputs[i]), data.support.targets[i]))
        (cross_entropy(clone(data.query.inputs[i]), data.query.targets[i]) / TASKS).backward()


every_kind = pytest.mark.parametrize(
    "kind",
    [
        "perceptron, tanh",
        "perceptron, one input",
        "convolutional",
        "convolutional, through vmap",
        "recurrent",
    ],
)


def close(ours, wanted) -> None:
    assert any(float(gradient.abs().max()) > 1e-3 for gradient in wanted)
    for one, other in zip(ours, wanted, strict=True):
        # Threads add up in another order: the least entries of a gradient differ by some 1e-10.
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-8)


@every_kind
@pytest.mark.parametrize("order", ["first", "second"])
def test_maml(algorithms, kind, order):
    data = case(kind)
    problem = Problem(PerTask(data.network), classes)
    initial = problem.network.weights()
    batches = [data.support] * STEPS
    if order == "first":
        ours = fomaml_gradient(problem, initial, batches, data.query, SGD(LR)).gradients
    else:
        ours = maml_gradient(problem, initial, batches, data.query, LR).gradients
    theirs(algorithms.MAML(data.network, lr=LR, first_order=order == "first"), data.network, data)
    close(ours, [parameter.grad for parameter in data.network.parameters()])


@every_kind
def test_meta_sgd(algorithms, kind):
    data = case(kind)
    problem = Problem(PerTask(data.network), classes)
    initial = problem.network.weights()
    rates = [torch.full_like(weight, LR) for weight in initial]
    ours = meta_sgd_gradient(problem, initial, rates, [data.support] * STEPS, data.query).gradients
    learner = algorithms.MetaSGD(data.network, lr=LR)
    theirs(learner, data.network, data)
    close(
        ours,
        [
            *(parameter.grad for parameter in data.network.parameters()),
            *(rate.grad for rate in learner.lrs),
        ],
    )


SINES = SineRegression()
SMALL = {"iterations": 8, "tasks": 4, "inner_steps": 3, "network": PerceptronConfig((16, 16))}
ALGORITHMS = {
    "MAML": Learn2LearnConfig("maml", **SMALL),
    "MAML, first order": Learn2LearnConfig("maml", first_order=True, **SMALL),
    "MAML, minibatches": Learn2LearnConfig("maml", batch=4, **SMALL),
    "Meta-SGD": Learn2LearnConfig("meta-sgd", **SMALL),
    "GBML": Learn2LearnConfig("gbml", **SMALL),
    "GBML, first order": Learn2LearnConfig("gbml", first_order=True, **SMALL),
    "GBML, adapted": Learn2LearnConfig("gbml", adapt_transform=True, **SMALL),
    "GBML, Kronecker": Learn2LearnConfig("gbml", transform="kronecker", **SMALL),
    "GBML, Kronecker, adapted": Learn2LearnConfig(
        "gbml", transform="kronecker", adapt_transform=True, **SMALL
    ),
}
every_algorithm = pytest.mark.parametrize("config", ALGORITHMS.values(), ids=ALGORITHMS)


def losses_in_float64(learner, iterations: int) -> list[float]:
    """Return the training curve of one of our learners, outer step for outer step as `update` takes
    them.
    """
    learner.trained = [weight.double() for weight in learner.trained]
    config = learner.config
    found = []
    state = config.outer.start(learner.trained)
    for i in range(iterations):
        tasks = SINES.sample(config.tasks, "train", derive_seed(learner.task_seed, i))
        support = SINES.support(tasks, learner.rng)
        gradient = learner.meta_gradient(support, SINES.query(tasks, learner.rng))
        learner.trained, state = config.outer.step(
            learner.trained, gradient.gradients, state, 1 - i / config.iterations
        )
        found.append(float(gradient.losses[-1].mean()))
    return found


def guest_in_float64(config) -> Learn2Learn:
    """Return a guest whose weights are float64: so are then its examples."""
    guest = Learn2Learn(config, SINES, 3)
    guest.algorithm.double()
    guest.outer_state = config.outer.start(guest.trained)
    return guest


@pytest.mark.parametrize("batch", [None, 4])
@pytest.mark.parametrize("algorithm", ["maml", "meta-sgd"])
def test_a_guests_training_curve_is_our_own_learners(algorithm, batch):
    settings = {**SMALL, "batch": batch, "outer": Adam(0.01)}
    own = {
        "maml": lambda: MAML(MAMLConfig(**settings), SINES, 3),
        "meta-sgd": lambda: MetaSGD(MetaSGDConfig(**settings), SINES, 3),
    }
    learner = own[algorithm]()
    guest = guest_in_float64(Learn2LearnConfig(algorithm, **settings))
    wanted = losses_in_float64(learner, 8)
    assert len(set(wanted)) == 8
    assert [guest.update()["loss_last"] for _ in range(8)] == pytest.approx(wanted, rel=1e-9)
    for one, other in zip(guest.trained, learner.trained, strict=True):
        torch.testing.assert_close(one.detach(), other, rtol=1e-8, atol=1e-9)


def test_in_float32_the_curves_agree_too():
    own = MAML(MAMLConfig(**SMALL), SINES, 3)
    guest = Learn2Learn(Learn2LearnConfig(**SMALL), SINES, 3)
    for _ in range(8):
        wanted = own.update()
        found = guest.update()
        assert found == pytest.approx(wanted, rel=1e-4)


def test_gbml_with_a_factor_for_each_entry_is_meta_sgd():
    """Its step sizes are inner_lr times the factors, so that factors have inner_lr times their
    gradients.
    """
    gbml, other = (
        guest_in_float64(Learn2LearnConfig(name, inner_lr=LR, **SMALL))
        for name in ("gbml", "meta-sgd")
    )
    tasks = SINES.sample(4, "train", 0)
    examples = SINES.support(tasks, torch_generator(0)), SINES.query(tasks, torch_generator(0))
    found, wanted = (learner.meta_gradient(*examples).gradients for learner in (gbml, other))
    half = len(wanted) // 2
    close([*found[:half], *(factor / LR for factor in found[half:])], wanted)


@every_algorithm
def test_adapters_take_the_steps_that_training_takes(config):
    """Losses of the support before each step, and of the query after the last, in training and in
    evaluation.
    """
    guest = Learn2Learn(config, SINES)
    guest.update()
    tasks = SINES.sample(5, "test", 0).to("cpu", torch.float32)
    support = SINES.support(tasks, torch_generator(0))
    query = SINES.query(tasks, torch_generator(0))
    stream = guest.rng.get_state()
    wanted = guest.meta_gradient(support, query).losses
    guest.rng.set_state(stream)
    adapter = guest.adapter(batch=config.batch)
    state = adapter.begin(support, 3, guest.rng)
    for step in range(3):
        shown = state.waiting[0]
        torch.testing.assert_close(
            SINES.loss(adapter.predict(state, shown.inputs), shown.targets).mean(1), wanted[step]
        )
        state = adapter.step(state)
    torch.testing.assert_close(
        SINES.loss(adapter.predict(state, query.inputs), query.targets).mean(1), wanted[3]
    )
    assert not torch.allclose(wanted[0], wanted[2], rtol=1e-3)


@pytest.mark.parametrize("name", ["MAML", "Meta-SGD"])
def test_scores_are_those_of_our_own_steps(name):
    guest = Learn2Learn(ALGORITHMS[name], SINES)
    while not guest.finished:
        guest.update()
    own = MAML(MAMLConfig(**SMALL), SINES)
    weights = [parameter.detach().clone() for parameter in guest.algorithm.module.parameters()]
    rates = [rate.detach().clone() for rate in guest.algorithm.lrs] if name == "Meta-SGD" else []
    steps = Rates(rates) if rates else SGD(ALGORITHMS[name].inner_lr)
    found, wanted = (
        metarl.evaluate_supervised(adapter, SINES, "test", 20, 0, 4).losses
        for adapter in (guest.adapter(), GradientAdapter(own.problem, weights, steps))
    )
    assert found == pytest.approx(wanted, rel=1e-4)


@every_algorithm
def test_a_guest_goes_on_bit_for_bit_and_touches_no_global_generator(config, tmp_path):
    with global_generators_untouched("Learn2Learn"):
        undisturbed = Learn2Learn(config, SINES, 1)
        stopped = Learn2Learn(config, SINES, 1)
        fresh = Learn2Learn(config, SINES, 1)
        for _ in range(2):
            undisturbed.update(), stopped.update()
        save_state(tmp_path / "state.safetensors", stopped.state_dict(), {})
        fresh.load_state_dict(load_state(tmp_path / "state.safetensors")[1])
        # Leaves the learner alone
        metarl.evaluate_supervised(fresh.adapter(), SINES, "test", 3, 0, 2)
    assert [undisturbed.update() for _ in range(3)] == [fresh.update() for _ in range(3)]
    before = [parameter.detach().clone() for parameter in undisturbed.trained]
    assert all(torch.equal(*pair) for pair in zip(before, fresh.trained, strict=True))
    other = Learn2Learn(config, SINES, 2)
    other.load_weights(undisturbed.weights())
    assert all(torch.equal(*pair) for pair in zip(before, other.trained, strict=True))
    run = RunConfig("learn2learn", config, "SineRegression-v0")
    assert RunConfig.from_identity(run.identity()).config == config


@every_algorithm
def test_an_adapter_keeps_what_it_was_made_with(config):
    guest = Learn2Learn(config, SINES)
    adapter = guest.adapter()
    before = metarl.evaluate_supervised(adapter, SINES, "test", 3, 0, 2).losses
    guest.update()
    assert (metarl.evaluate_supervised(adapter, SINES, "test", 3, 0, 2).losses == before).all()
    assert (
        metarl.evaluate_supervised(guest.adapter(), SINES, "test", 3, 0, 2).losses != before
    ).any()


@pytest.mark.parametrize("name", ["MAML", "GBML, Kronecker"])
def test_a_guest_learns_sines(name):
    settings = {
        **SMALL,
        "iterations": 60,
        "tasks": 8,
        "outer": Adam(0.01),
        "network": PerceptronConfig((32, 32)),
    }
    config = Learn2LearnConfig(
        ALGORITHMS[name].algorithm, transform=ALGORITHMS[name].transform, **settings
    )
    guest = Learn2Learn(config, SINES)
    before = metarl.evaluate_supervised(guest.adapter(), SINES, "test", 100, 0, 5).scores()
    while not guest.finished:
        guest.update()
    after = metarl.evaluate_supervised(guest.adapter(), SINES, "test", 100, 0, 5)
    assert after.scores().mean() < 0.8 * before.mean()
    assert after.scores().mean() < 0.8 * after.scores(0).mean()


def sequential(*extra) -> nn.Sequential:
    """Return a user's model."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(1, 16), *extra, nn.ReLU(), nn.Linear(16, 1))


@pytest.mark.parametrize(
    "kind", ["MAML", "running statistics", "float64", "a part is frozen", "Meta-Curvature"]
)
def test_a_users_own_algorithm_is_trained_in_place(algorithms, kind):
    if kind == "Meta-Curvature":
        from learn2learn.optim import MetaCurvatureTransform

        algorithm = algorithms.GBML(sequential(), MetaCurvatureTransform, lr=0.02)
    elif kind == "a part is frozen":
        model = sequential()
        model[0].requires_grad_(False)
        algorithm = algorithms.MAML(model, lr=0.02, allow_nograd=True)
    else:
        model = sequential(*[nn.BatchNorm1d(16)] if kind == "running statistics" else [])
        algorithm = algorithms.MAML(model.double() if kind == "float64" else model, lr=0.02)
    before = {name: tensor.clone() for name, tensor in algorithm.state_dict().items()}
    learner = Learn2Learn(
        Learn2LearnConfig(iterations=2, tasks=3, inner_steps=2), SINES, algorithm=algorithm
    )
    while not learner.finished:
        learner.update()
    scored = metarl.evaluate_supervised(learner.adapter(), SINES, "test", 5, 0, 3)
    assert learner.algorithm is algorithm
    moved = [
        name
        for name, tensor in algorithm.state_dict().items()
        if not torch.equal(tensor, before[name])
    ]
    still = {"module.0.weight", "module.0.bias"} if kind == "a part is frozen" else set()
    assert set(moved) == set(before) - still
    again = metarl.evaluate_supervised(learner.adapter(), SINES, "test", 5, 0, 3)
    assert (scored.losses == again.losses).all()
    assert len({*scored.losses[0]}) == 4


def test_on_glyphs_a_guest_is_our_own_learner():
    """Images, accuracies, and queries beside the support alone as well as in one batch."""
    glyphs = metarl.make("GlyphClassification-v0")
    settings = {**SMALL, "tasks": 2, "inner_lr": 0.2, "network": ImageNetworkConfig(4, layers=3)}
    learners = (
        MAML(MAMLConfig(**settings), glyphs, 1),
        Learn2Learn(Learn2LearnConfig(**settings), glyphs, 1),
    )
    for _ in range(5):
        wanted, found = (learner.update() for learner in learners)
        assert found == pytest.approx(wanted, rel=1e-3)
    for transductive in (True, False):
        wanted, found = (
            metarl.evaluate_supervised(
                learner.adapter(), glyphs, "test", 10, 0, 3, transductive=transductive
            )
            for learner in learners
        )
        assert found.losses == pytest.approx(wanted.losses, rel=1e-3)
        assert (found.accuracies == wanted.accuracies).mean() > 0.9
        assert found.scores().mean() < found.scores(0).mean()
    with pytest.raises(ValueError, match="ImageNetworkConfig.. for images"):
        Learn2Learn(Learn2LearnConfig(), glyphs)


def test_what_does_not_fit_gets_a_sentence(algorithms, monkeypatch):
    config = Learn2LearnConfig(**SMALL)
    with pytest.raises(ValueError, match="Learn2Learn learns supervised tasks"):
        Learn2Learn(config, BernoulliBandit())
    with pytest.raises(ValueError, match="trains one seed at a time"):
        Learn2Learn(config, SINES, (0, 1))
    with pytest.raises(
        ValueError, match=r"one of learn2learn's, such as MAML\(model, lr=0.02\), not a Sequential"
    ):
        Learn2Learn(config, SINES, algorithm=sequential())
    with pytest.raises(ValueError, match="no parameters that are trained"):
        Learn2Learn(config, SINES, algorithm=algorithms.MAML(nn.Flatten(), lr=0.1))
    with pytest.raises(
        ValueError,
        match=r"Linear gives \(50, 3\) for inputs \(50, 1\), not \(50, 1\); change its last layer",
    ):
        Learn2Learn(config, SINES, algorithm=algorithms.MAML(nn.Linear(1, 3), lr=0.1))
    with pytest.raises(ValueError, match="Linear can't compute inputs"):
        Learn2Learn(config, SINES, algorithm=algorithms.MAML(nn.Linear(2, 1), lr=0.1))
    with pytest.raises(ValueError, match="of another network or algorithm"):
        Learn2Learn(config, SINES).load_weights(
            Learn2Learn(ALGORITHMS["Meta-SGD"], SINES).weights()
        )
    with pytest.raises(
        ValueError, match=r"The inner loop diverged in iteration 1: after \d+ steps in task [0-3]"
    ):
        Learn2Learn(
            Learn2LearnConfig(
                **{
                    **SMALL,
                    "inner_lr": 1e6,
                    "inner_steps": 40,
                    "network": PerceptronConfig((8,), "relu"),
                }
            ),
            SINES,
        ).update()
    for settings, sentence in (
        ({"algorithm": "mamll"}, "algorithm must be one of maml, meta-sgd, gbml, not 'mamll'"),
        ({"transform": "none"}, "transform must be one of scale, kronecker"),
        ({"inner_lr": 0.0}, "inner_lr must be positive"),
        ({"inner_steps": 0}, "inner_steps must be at least 1, not 0"),
        ({"first_order": True, "adapt_transform": True}, "leave out one of the two"),
    ):
        with pytest.raises(ValueError, match=sentence):
            Learn2LearnConfig(**settings)
    monkeypatch.setitem(sys.modules, "learn2learn", None)
    with pytest.raises(
        ValueError,
        match="Learn2Learn needs learn2learn, which can't be imported .*: run `make learn2learn`",
    ):
        Learn2Learn(config, SINES)
