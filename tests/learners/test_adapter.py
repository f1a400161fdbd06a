"""Adapters: inner steps one at a time are the inner loop, and a state never shares what it learned."""

import torch

from metarl.learners.adapter import GradientAdapter
from metarl.learners.inner_loop import adapt
from metarl.learners.maml import MAML, MAMLConfig
from metarl.learners.optimizers import Adam
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.seeding import torch_generator
from metarl.tasks.sine_regression import SineRegression

CONFIG = MAMLConfig(iterations=2, tasks=2, network=PerceptronConfig((8,)))


def support(n=3):
    sines = SineRegression()
    return sines.support(sines.sample(n, "test", 0).to("cpu", torch.float32), torch_generator(0))


def test_steps_are_those_of_the_inner_loop():
    learner, examples = MAML(CONFIG, SineRegression(), 0), support()
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
    learner, examples = MAML(CONFIG, SineRegression(), 0), support()
    adapter = learner.adapter()
    assert isinstance(adapter, GradientAdapter)

    def said():
        return adapter.predict(adapter.begin(examples, 1, torch_generator(0)), examples.inputs)

    before = said()
    learner.update()
    assert torch.equal(before, said())
