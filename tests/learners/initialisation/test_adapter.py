"""Adapters.

Inner steps one at a time are the inner loop, and a state never shares what it learned.
"""

import torch
from torch import nn

from metarl.core.seeding import torch_generator
from metarl.learners.initialisation.adapter import GradientAdapter
from metarl.learners.initialisation.inner_loop import adapt
from metarl.learners.initialisation.maml import MAML, MAMLConfig
from metarl.learners.optimizers import SGD, Adam
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.perceptron import Perceptron, PerceptronConfig
from metarl.tasks.supervised.few_shot import FewShotClassification, LabelledImages
from metarl.tasks.supervised.sine_regression import SineRegression

CONFIG = MAMLConfig(iterations=2, tasks=2, network=PerceptronConfig((8,)))


def support(n=3):
    sines = SineRegression()
    return sines.support(sines.sample(n, "test", 0).to("cpu", torch.float32), torch_generator(0))


def test_steps_are_those_of_the_inner_loop():
    learner = MAML(CONFIG, SineRegression(), 0)
    examples = support()
    adapter = learner.adapter(Adam(0.01))
    state = adapter.begin(examples, 4, torch_generator(0))
    for _ in range(4):
        state = adapter.step(state)
    wanted = adapt(learner.problem, learner.initial, [examples] * 4, Adam(0.01)).weights
    assert all(torch.equal(a, b) for a, b in zip(state.weights, wanted, strict=True))
    assert adapter.predict(state, examples.inputs).shape == (3, 10, 1)


def test_minibatches_are_dealt_out_over_the_steps():
    adapter = MAML(CONFIG, SineRegression(), 0).adapter(batch=5)
    examples = support()
    state = adapter.begin(examples, 2, torch_generator(0))
    seen = torch.cat([batch.inputs[0, :, 0] for batch in state.waiting])
    assert sorted(seen.tolist()) == sorted(examples.inputs[0, :, 0].tolist())


def test_an_adapter_keeps_its_weights_while_the_learner_goes_on():
    learner = MAML(CONFIG, SineRegression(), 0)
    examples = support()
    adapter = learner.adapter()
    assert isinstance(adapter, GradientAdapter)

    def said():
        return adapter.predict(adapter.begin(examples, 1, torch_generator(0)), examples.inputs)

    before = said()
    learner.update()
    assert torch.equal(before, said())


def test_what_a_task_takes_grows_with_weights_and_with_what_gradients_remember():
    def size(hidden, examples, batch=None):
        family = SineRegression(points=examples)
        learner = MAML(MAMLConfig(network=PerceptronConfig(hidden)), family)
        rng = torch_generator(0)
        tasks = family.sample(3, "test", 0).to("cpu", torch.float32)
        return learner.adapter(batch=batch).task_bytes(
            family.support(tasks, rng), family.support(tasks, rng)
        )

    weights = 4 * (8 * 2 + 9)  # bytes of a perceptron with one hidden layer of 8 units
    few = size((8,), 10)
    many = size((8,), 50)
    assert few > 6 * weights
    assert 2 * 8 * 4 * 40 <= many - few <= 8 * (2 * 8 * 4 * 40), (
        "8 units are remembered of each example, in a few forms"
    )
    assert size((64, 64), 10) > 6 * 4 * 64 * 64
    assert size((8,), 50, batch=10) == many, "queries are computed at once"


def test_a_network_through_vmap_tells_what_it_takes():
    family = SineRegression()
    rng = torch_generator(0)
    tasks = family.sample(3, "test", 0).to("cpu", torch.float32)
    make = lambda distribution, rng: nn.Sequential(nn.Linear(1, 100), nn.Tanh(), nn.Linear(100, 1))  # noqa: E731
    learner = MAML(CONFIG, family, 0, make_network=make)
    taken = learner.adapter().task_bytes(family.support(tasks, rng), family.query(tasks, rng))
    assert taken >= 6 * 4 * 301 + 2 * 4 * 100 * 10


class Noise(FewShotClassification):
    """Ten classes of noisy pictures."""

    id = "Noise-v0"

    def __init__(self):
        pixels = torch.randint(
            0, 256, (40, 1, 8, 8), generator=torch_generator(0), dtype=torch.uint8
        )
        super().__init__(
            LabelledImages(pixels, torch.full((10,), 4), tuple("abcdefghij"), 5),
            ways=3,
            shots=2,
            queries=2,
        )


def outputs(network, make_network=None):
    """Of the same queries in the same adapted networks.

    Transductive, alone, and alone with the other queries changed.
    """
    family = Noise()
    tasks = family.sample(3, "test", 0).to("cpu", torch.float32)
    support = family.support(tasks, torch_generator(0))
    query = family.query(tasks, torch_generator(0)).inputs
    config = MAMLConfig(iterations=2, tasks=2, network=network)
    adapter = MAML(config, family, 0, make_network=make_network).adapter(SGD(0.1))
    state = adapter.step(adapter.begin(support, 1, torch_generator(0)))
    changed = torch.cat([query[:, :1], 1 - query[:, 1:]], 1)
    said = (
        adapter.predict(state, query),
        adapter.predict(state, query, False),
        adapter.predict(state, changed, False),
    )
    return (
        *said,
        adapter.problem.network(state.weights, torch.cat([support.inputs, query[:, :1]], 1))[:, -1],
    )


def test_alone_a_query_is_computed_beside_the_support_and_no_other_query():
    transductive, alone, others_changed, by_hand = outputs(ImageNetworkConfig(4, layers=2))
    assert transductive.shape == alone.shape == (3, 6, 3)
    assert not torch.allclose(transductive, alone, atol=1e-3), "the batch's moments differ"
    torch.testing.assert_close(alone[:, 0], by_hand)
    torch.testing.assert_close(alone[:, 0], others_changed[:, 0])


def test_without_batch_normalisation_company_makes_no_difference():
    def plain(distribution, rng):
        return torch.nn.Sequential(
            torch.nn.Flatten(), Perceptron(64, 3, PerceptronConfig((8,)), rng)
        )

    transductive, alone, _, _ = outputs(PerceptronConfig(), plain)
    torch.testing.assert_close(transductive, alone)
