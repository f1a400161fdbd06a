"""Few-shot tasks.

Distinct classes and images, labels drawn anew in each task, and sentences for what doesn't fit.
"""

import math
from collections import Counter

import numpy as np
import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.supervised.few_shot import (
    FewShotClassification,
    LabelledImages,
    draw_distinct,
    rotated,
)


def labelled(counts=(6,) * 12, train=6, side=2):
    """Image j of class c is of grey 20 c + j throughout."""
    pixels = torch.cat(
        [
            torch.full((count, 1, side, side), 20 * c, dtype=torch.uint8)
            for c, count in enumerate(counts)
        ]
    )
    pixels += torch.cat([torch.arange(count, dtype=torch.uint8) for count in counts])[
        :, None, None, None
    ]
    return LabelledImages(
        pixels, torch.tensor(counts), tuple(f"class {c}" for c in range(len(counts))), train
    )


class Greys(FewShotClassification):
    id = "Greys-v0"


def examples(family, tasks):
    """Support and query as (class and image [n, m], target [n, m])."""
    return [
        ((draw.inputs[..., 0, 0, 0] * 255).round().long(), draw.targets)
        for draw in (family.support(tasks, None), family.query(tasks, None))
    ]


def test_images_are_those_of_the_tasks_classes_under_its_labels():
    family = Greys(labelled(), ways=3, shots=2, queries=3)
    tasks = family.sample(50, "train", 0)
    (support, labels), (query, query_labels) = examples(family, tasks)
    assert support.shape == (50, 6)
    assert query.shape == (50, 9)
    for i in range(50):
        assert labels[i].tolist() == [0, 0, 1, 1, 2, 2]
        assert query_labels[i].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        seen = [*support[i].tolist(), *query[i].tolist()]
        assert len(set(seen)) == 15, "no image comes twice, in the support or across"
        for value, label in zip(
            seen, [*labels[i].tolist(), *query_labels[i].tolist()], strict=True
        ):
            assert value // 20 == tasks.classes[i, label]


def test_splits_share_no_class_and_each_class_gets_every_label():
    family = Greys(labelled(), ways=3)
    seen = {split: family.sample(4000, split, 0).classes for split in family.splits}
    assert set(seen["train"].flatten().tolist()) == set(range(6))
    assert set(seen["test"].flatten().tolist()) == set(range(6, 12))
    counts = Counter((c, label) for row in seen["train"].tolist() for label, c in enumerate(row))
    expected = 4000 / 6
    assert len(counts) == 18
    assert all(abs(count - expected) < 5 * math.sqrt(expected) for count in counts.values())


def test_training_tasks_may_have_other_sizes():
    family = Greys(labelled(), ways=3, shots=1, queries=1, train_shots=4, train_queries=2)
    for split, shots, queries in (("train", 4, 2), ("test", 1, 1)):
        tasks = family.sample(5, split, 0)
        assert tasks.support.shape == (5, 3, shots)
        assert tasks.query.shape == (5, 3, queries)
    assert family.config() == {
        "ways": 3,
        "shots": 1,
        "queries": 1,
        "train_shots": 4,
        "train_queries": 2,
    }
    same = Greys(labelled(), ways=3, shots=5).sample(7, "test", 3).classes
    assert torch.equal(same, family.sample(7, "test", 3).classes), (
        "the same classes whatever the shots"
    )


def test_inputs_lie_between_0_and_1_in_the_tasks_type():
    family = Greys(labelled())
    for dtype in (torch.float32, torch.float64):
        inputs = family.support(family.sample(2, "train", 0).to("cpu", dtype), None).inputs
        assert inputs.dtype == dtype
        assert 0 <= float(inputs.min()) <= float(inputs.max()) < 0.95


def test_guessing_costs_the_logarithm_of_the_ways_and_right_answers_are_counted():
    family = Greys(labelled(), ways=4)
    targets = torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])
    assert family.loss(torch.zeros(2, 4, 4), targets).numpy() == pytest.approx(math.log(4))
    outputs = torch.nn.functional.one_hot(torch.tensor([[0, 1, 2, 3], [0, 1, 1, 0]]), 4).float()
    assert family.correct(outputs, targets).tolist() == [[True] * 4, [False, False, True, True]]
    wanted = -torch.log_softmax(outputs, -1).gather(-1, targets[..., None])[..., 0]
    torch.testing.assert_close(family.loss(outputs, targets), wanted)


def test_distinct_numbers_come_in_every_order_alike():
    uniform = np.random.default_rng(0).random((24_000, 3))
    drawn = draw_distinct(uniform, np.asarray(4))
    counts = Counter(map(tuple, drawn.tolist()))
    assert all(len(set(triple)) == 3 for triple in counts)
    assert len(counts) == 24
    assert all(abs(count - 1000) < 5 * math.sqrt(1000) for count in counts.values())
    assert np.array_equal(draw_distinct(uniform[:, :2], np.asarray(4)), drawn[:, :2])
    assert set(draw_distinct(uniform, np.full(24_000, 3)).sum(1)) == {3}, (
        "all of them where there are no more"
    )


def test_turned_classes_are_classes_of_the_training_split():
    pixels = torch.arange(3 * 4, dtype=torch.uint8).view(3, 1, 2, 2)
    turned = rotated(LabelledImages(pixels, torch.tensor([1, 1, 1]), ("a", "b", "c"), 2))
    assert turned.train == 8
    assert turned.names[2:] == (
        "a, turned by 90 degrees",
        "b, turned by 90 degrees",
        *turned.names[4:8],
        "c",
    )
    assert turned.counts.tolist() == [1] * 9
    assert torch.equal(turned.images[2], pixels[0].rot90(1, (1, 2)))
    assert torch.equal(turned.images[8], pixels[2])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"ways": 1}, "ways must be a whole number of at least 2, not 1"),
        ({"shots": 0}, "shots must be a whole number of at least 1, not 0"),
        ({"train_queries": 0}, "train_queries must be a whole number of at least 1, not 0"),
        ({"train_shots": 2.5}, "train_shots must be a whole number"),
        ({"ways": 7}, "the split train has 6 classes, too few for tasks of 7 ways"),
        (
            {"ways": 3, "shots": 6},
            (
                "the class 'class 0' has 6 images, too few for tasks of the split train, which take"
                " 6 to learn from and 1"
            ),
        ),
    ],
)
def test_what_does_not_fit_gets_a_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Greys(labelled(), **arguments)


def test_a_class_with_too_few_images_is_named():
    with pytest.raises(
        ValueError, match="the class 'class 8' has 1 images, too few for tasks of the split test"
    ):
        Greys(labelled((6, 6, 6, 6, 6, 6, 6, 6, 1, 6)), ways=3)


def test_generators_are_not_needed_but_taken():
    family = Greys(labelled(), ways=3)
    tasks = family.sample(2, "train", 0)
    assert torch.equal(
        family.support(tasks, torch_generator(0)).inputs,
        family.support(tasks, torch_generator(1)).inputs,
    )
