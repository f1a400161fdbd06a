"""Scoring adapters.

Known losses, the same tasks and examples for all, and sentences for what can't be scored.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch

import metarl
from metarl.agents.registry import make_agent
from metarl.core.errors import PlugInError
from metarl.core.seeding import torch_generator
from metarl.evaluation import supervised
from metarl.evaluation.supervised import evaluate_supervised
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.supervised.sine_regression import SineRegression

SINES = SineRegression(points=10)


class Halving(NamedTuple):
    """Says 2^-step, whatever it is shown."""

    worst: float = 1.0

    def begin(self, support, steps, rng):
        return self.worst

    def step(self, state):
        return state / 2

    def predict(self, state, inputs):
        return torch.full((*inputs.shape[:2], 1), state)


class FitsSines:
    """Least squares on sin x and cos x: knows the family, so that it is exact after one step."""

    def begin(self, support, steps, rng):
        return support, torch.zeros(len(support.inputs), 2, 1)

    def step(self, state):
        support, _ = state
        return support, torch.linalg.lstsq(waves(support.inputs), support.targets).solution

    def predict(self, state, inputs):
        return waves(inputs) @ state[1]


def waves(inputs):
    return torch.cat([inputs.sin(), inputs.cos()], -1)


def test_who_knows_the_family_is_exact_and_who_says_nothing_pays_the_mean_square():
    scored = evaluate_supervised(FitsSines(), SINES, "test", 300, 0, steps=2)
    assert scored.losses.shape == (300, 3)
    tasks = SINES.sample(300, "test", 0)
    x = torch.linspace(-5, 5, 50, dtype=torch.float64)
    wanted = (tasks.amplitude[:, None] * torch.sin(x + tasks.phase[:, None])).square().mean(1)
    assert scored.scores(0) == pytest.approx(wanted.numpy(), rel=1e-5)
    assert scored.scores().max() < 1e-8
    assert scored.fingerprint == tasks.fingerprint


def test_rows_and_curve():
    scored = evaluate_supervised(Halving(), SINES, "train", 7, 3, steps=4)
    rows = scored.rows()
    assert list(rows.columns) == ["task", "inner_step", "loss"]
    assert len(rows) == 35
    assert (
        rows[(rows.task == 6) & (rows.inner_step == 4)].loss.item()
        == scored.scores()[6]
        == scored.scores(4)[6]
    )
    curve = scored.curve()
    assert [estimate.n for estimate in curve] == [7] * 5
    assert curve[2].value == pytest.approx(scored.scores(2).mean())
    assert curve[2].low < curve[2].value < curve[2].high
    with pytest.raises(
        ValueError, match="The query was scored after 0, 1, 2, 3, 4 inner steps; step can't be 5"
    ):
        scored.scores(5)


def test_all_adapters_see_the_same_examples_and_chunks_keep_their_order(monkeypatch):
    seen = []

    class Watching(FitsSines):
        def begin(self, support, steps, rng):
            torch.rand(len(seen) + 1, generator=rng)  # however much an adapter draws
            seen.append(support.inputs.clone())
            return super().begin(support, steps, rng)

    for _ in range(2):
        evaluate_supervised(Watching(), SINES, "test", 20, 0, 1)
    assert torch.equal(*seen)
    whole = evaluate_supervised(Halving(), SINES, "test", 20, 0, 1).scores()
    monkeypatch.setattr(supervised, "CHUNK", 8)
    assert np.array_equal(evaluate_supervised(Halving(), SINES, "test", 20, 0, 1).scores(), whole)


class Weighed(FitsSines):
    """Says what a task takes, and remembers how many were given at once."""

    def __init__(self, size):
        self.size = size
        self.given = []
        self.drawn = []

    def task_bytes(self, support, query):
        self.drawn.append(len(query.inputs))
        return self.size

    def begin(self, support, steps, rng):
        self.given.append(len(support.inputs))
        return super().begin(support, steps, rng)


def test_as_many_tasks_side_by_side_as_memory_holds_on_the_same_examples():
    small = Weighed(1000)
    large = Weighed(supervised.MEMORY // 100)
    scores = [
        evaluate_supervised(adapter, SINES, "test", 150, 0, 1, score_after=(0,)).scores(0)
        for adapter in (small, large)
    ]
    assert (small.given, large.given) == ([150], [64, 64, 22])
    assert np.array_equal(*scores), "before the first step, the score tells the query"
    huge = Weighed(10 * supervised.MEMORY)
    evaluate_supervised(huge, SINES, "test", 3, 0, 1)
    assert huge.given == [1, 1, 1]
    chosen = Weighed(supervised.MEMORY)
    evaluate_supervised(chosen, SINES, "test", 150, 0, 1, chunk=100)
    assert (chosen.given, chosen.drawn) == ([100, 50], []), "who names a chunk gets it"


def test_large_examples_are_drawn_for_fewer_tasks_at_once(monkeypatch):
    monkeypatch.setattr(supervised, "MEMORY", 100 * 4 * 60)  # a task has 10 + 50 numbers or fewer
    adapter = Weighed(1)
    evaluate_supervised(adapter, SINES, "test", 2500, 0, 1)
    assert sum(adapter.drawn) == 2500
    drawn = adapter.drawn[0]
    sizes = [each.inputs[0].nbytes for each in examples_of(SINES)]
    assert drawn * sum(sizes) <= supervised.MEMORY < 2 * drawn * sum(sizes)


def examples_of(family):
    tasks = family.sample(2, "test", 0).to("cpu", torch.float32)
    rng = torch_generator(0)
    return family.support(tasks, rng), family.query(tasks, rng)


def test_divergence_is_named_by_task_and_step():
    class Diverging(Halving):
        def predict(self, state, inputs):
            said = torch.zeros(*inputs.shape[:2], 1)
            said[3] = math.nan if state < 0.3 else 0.0
            return said

    with pytest.raises(
        ValueError,
        match=(
            "The inner loop diverged: after 2 steps in task 3 the loss is nan. Use a smaller"
            " inner lr"
        ),
    ):
        evaluate_supervised(Diverging(), SINES, "test", 5, 0, 4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"split": "held-out"}, "has no split 'held-out'; choose one of train, test"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"chunk": 0}, "chunk must be at least 1, not 0"),
        (
            {"score_after": (3,)},
            r"score_after names inner steps between 0 and 2, one at least, not \(3,\)",
        ),
        ({"score_after": ()}, "one at least"),
        ({"num_tasks": 0}, "num_tasks must be at least 1, not 0"),
        ({"num_tasks": 2.5}, "num_tasks must be a whole number"),
        ({"seed": "a"}, "seed must be a whole number"),
        ({"device": "tpu"}, "There is no device 'tpu'|computes on cpu or cuda"),
        (
            {"distribution": BernoulliBandit()},
            "has episodes rather than examples; score agents on it with metarl.evaluate",
        ),
    ],
)
def test_bad_input_gets_a_sentence(arguments, sentence):
    usual = {"distribution": SINES, "split": "test", "num_tasks": 3, "seed": 0, "steps": 2}
    with pytest.raises(ValueError, match=sentence):
        evaluate_supervised(Halving(), **{**usual, **arguments})


def test_predictions_of_another_shape():
    class Wide(Halving):
        def predict(self, state, inputs):
            return torch.zeros(*inputs.shape[:2], 3)

    with pytest.raises(PlugInError, match="takes one loss an example"):
        evaluate_supervised(Wide(), SINES, "test", 3, 0, 1)


def test_agents_are_not_scored_on_examples():
    agent = make_agent("random", BernoulliBandit(), metarl.Episodes(2))
    with pytest.raises(
        ValueError, match="examples rather than episodes, .* metarl.evaluate_supervised"
    ):
        metarl.evaluate(agent, SINES, "test", 3, 0)


def test_only_the_steps_asked_for_are_scored():
    whole = evaluate_supervised(Halving(), SINES, "test", 7, 3, steps=4)
    some = evaluate_supervised(Halving(), SINES, "test", 7, 3, steps=4, score_after=(3, 0, 3))
    assert some.inner_steps == (0, 3)
    assert some.steps == 3
    for step in (0, 3):
        assert np.array_equal(some.scores(step), whole.scores(step))
    assert list(some.rows().inner_step[:2]) == [0, 3]
    assert [estimate.n for estimate in some.curve()] == [7, 7]
    with pytest.raises(
        ValueError, match="The query was scored after 0, 3 inner steps; step can't be 4"
    ):
        some.scores(4)


class Signs(SineRegression):
    """Sine regression in which the sign is right or wrong."""

    def correct(self, outputs, targets):
        return ((outputs > 0) == (targets > 0)).squeeze(-1)


def test_accuracy_stands_beside_the_loss_where_answers_are_right_or_wrong():
    scored = evaluate_supervised(FitsSines(), Signs(), "test", 100, 0, steps=1)
    assert list(scored.rows().columns) == ["task", "inner_step", "loss", "accuracy"]
    assert scored.scores(score="accuracy") == pytest.approx(1.0)
    tasks = SINES.sample(100, "test", 0)
    targets = SINES.query(tasks, None).targets
    assert scored.scores(0, "accuracy") == pytest.approx(
        (targets <= 0).double().mean((1, 2)).numpy()
    )
    curve = scored.curve(score="accuracy")
    assert curve[0].low < curve[0].value < curve[0].high
    with pytest.raises(
        ValueError, match="SineRegression-v0 has no accuracy: its answers aren't right or wrong"
    ):
        evaluate_supervised(FitsSines(), SINES, "test", 3, 0, steps=1).scores(score="accuracy")


def test_adapters_are_told_how_queries_are_batched():
    told = []

    class Told(Halving):
        def predict(self, state, inputs, transductive=True):
            told.append(transductive)
            return super().predict(state, inputs)

    for transductive in (True, False):
        assert (
            evaluate_supervised(
                Told(), SINES, "test", 3, 0, 1, transductive=transductive
            ).transductive
            == transductive
        )
    assert told == [True, True, False, False]
