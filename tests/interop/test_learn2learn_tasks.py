"""Our tasks in learn2learn's hands.

Its training loop, its ways of dividing a task's examples, its data sets and loaders.
"""

import sys
from itertools import islice

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader

import metarl
from metarl.checks.global_generators import global_generators_untouched
from metarl.core.seeding import torch_generator
from metarl.core.supervised import Examples, SupervisedDistribution
from metarl.interop.learn2learn import import_learn2learn
from metarl.interop.learn2learn_tasks import TaskSet, meta_dataset
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.supervised.sine_regression import SineRegression

SINES = SineRegression()


@pytest.fixture(scope="module")
def learn2learn():
    return import_learn2learn("This test")


class Blobs(SupervisedDistribution):
    """Three classes of points around corners of a square.

    Which corner is which class is the task. Two shots, two queries.
    """

    id = "Blobs"
    input_shape = (2,)
    outputs = 3
    corners = torch.tensor([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0]])

    def sample(self, n, split, seed):
        return SINES.sample(n, split, seed)

    def support(self, tasks, rng):
        labels = torch.tensor([0, 0, 1, 1, 2, 2]).expand(len(tasks), 6)
        places = self.corners[(labels + (tasks.phase > 3)[:, None]) % 3] + torch.rand(
            len(tasks), 6, 2, generator=rng
        )
        return Examples(places.to(tasks.phase.dtype), labels)

    query = support

    def loss(self, outputs, targets):
        return cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none").view(
            targets.shape
        )


def test_a_task_is_its_support_and_then_its_query():
    tasks = TaskSet(SINES, num_tasks=5, seed=3)
    with global_generators_untouched("TaskSet"):
        data, labels = tasks[2]
    support, query = tasks.examples(2)
    assert tasks.support == 10
    assert data.shape == labels.shape == (60, 1)
    assert data.dtype == torch.float32
    for whole, first, last in zip((data, labels), support, query, strict=True):
        assert torch.equal(whole[:10], first[0])
        assert torch.equal(whole[10:], last[0])
    amplitude = labels[10:].abs().max()
    assert 0.1 <= amplitude <= 5
    assert all(
        torch.equal(*pair)
        for pair in zip(TaskSet(SINES, num_tasks=5, seed=3)[2], (data, labels), strict=True)
    )
    for other in (
        TaskSet(SINES, num_tasks=5, seed=4)[2],
        TaskSet(SINES, "test", 5, 3)[2],
        tasks[3],
    ):
        assert not torch.equal(other[1], labels)


def test_a_number_of_tasks_comes_again_and_all_of_them_are_drawn():
    tasks = TaskSet(SINES, num_tasks=4)
    assert len(tasks) == 4
    each = [labels for _, labels in tasks]
    assert len(each) == 4
    assert torch.equal(tasks[-1][1], each[3])
    drawn = [tasks.sample()[1] for _ in range(60)]
    seen = [
        next(i for i, known in enumerate(each) if torch.equal(known, labels)) for labels in drawn
    ]
    assert set(seen) == {0, 1, 2, 3}
    with pytest.raises(IndexError, match="There are 4 tasks; 4 isn't among them"):
        tasks[4]


def test_tasks_without_end_never_repeat():
    tasks = TaskSet(SINES)
    assert len(tasks) == 1
    found = [labels for _, labels in islice(tasks, 3)] + [tasks.sample()[1], tasks[0][1]]
    assert all(not torch.equal(found[i], found[j]) for i in range(5) for j in range(i))
    again = TaskSet(SINES)
    assert all(torch.equal(again.sample()[1], labels) for labels in found)


def test_learn2learns_own_ways_of_dividing_a_task(learn2learn):
    """`partition_task`, and every second example as in its few-shot examples, give our support and
    query.
    """
    tasks = TaskSet(Blobs(), num_tasks=3)
    support, query = tasks.examples(1)
    for found, wanted in zip(
        learn2learn.data.partition_task(*tasks[1], shots=2), (support, query), strict=True
    ):
        assert torch.equal(found[0], wanted.inputs[0])
        assert torch.equal(found[1], wanted.targets[0])
    data, labels = TaskSet(Blobs(), num_tasks=3, alternate=True)[1]
    for found, wanted in zip(
        (data[::2], labels[::2], data[1::2], labels[1::2]), (*support, *query), strict=True
    ):
        assert torch.equal(found, wanted[0])


def test_images_of_our_classes_become_tasks_of_either_side(learn2learn):
    """A family's own tasks, and learn2learn's over the same images."""
    glyphs = metarl.make("GlyphClassification-v0", ways=3, shots=2, queries=2)
    data, labels = TaskSet(glyphs, num_tasks=2)[0]
    (shown, _), (asked, told) = learn2learn.data.partition_task(data, labels, shots=2)
    assert shown.shape == asked.shape == (6, 1, 28, 28)
    assert told.tolist() == [0, 0, 1, 1, 2, 2]
    images, counts, _, train = glyphs.images
    dataset = meta_dataset(
        images[: counts[:train].sum()], torch.arange(train).repeat_interleave(counts[:train])
    )
    assert len(dataset.labels) == train
    assert len(dataset.labels_to_indices[train - 1]) == counts[train - 1]


def test_it_serves_loaders_and_learn2learns_endless_iterator(learn2learn):
    tasks = TaskSet(SINES, num_tasks=3)
    data, _ = next(iter(DataLoader(tasks, batch_size=3)))
    assert torch.equal(data, torch.stack([each for each, _ in tasks]))
    endless = learn2learn.data.InfiniteIterator(tasks)
    assert torch.equal([next(endless)[1] for _ in range(5)][4], tasks[1][1])


def test_learn2learns_maml_learns_our_sines(learn2learn):
    """Its own loop: sample, clone, adapt, go back."""
    rng = torch_generator(0)
    model = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.5, 0.5, generator=rng)
    maml = learn2learn.algorithms.MAML(model, lr=0.02)
    tasks = TaskSet(SINES)
    optimizer = torch.optim.Adam(maml.parameters(), 0.01)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.zeros(())
        for _ in range(5):
            data, labels = tasks.sample()
            learner = maml.clone()
            for _ in range(2):
                learner.adapt(mse_loss(learner(data[: tasks.support]), labels[: tasks.support]))
            loss = loss + mse_loss(learner(data[tasks.support :]), labels[tasks.support :]) / 5
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-20:]) < 0.85 * sum(losses[:20])


def test_labelled_examples_become_learn2learns_own_tasks(learn2learn):
    """Its task set with its transforms, over our images: three ways, two shots for each side."""
    labels = torch.arange(6).repeat(5)
    images = labels[:, None, None, None] * 10 + torch.rand(
        30, 1, 4, 4, generator=torch_generator(0)
    )
    dataset = meta_dataset(images, labels)
    assert isinstance(dataset, learn2learn.data.MetaDataset)
    assert sorted(dataset.labels) == list(range(6))
    assert dataset.labels_to_indices[2] == [2, 8, 14, 20, 26]
    transforms = learn2learn.data.transforms
    steps = [
        transforms.NWays(dataset, 3),
        transforms.KShots(dataset, 4),
        transforms.LoadData(dataset),
        transforms.RemapLabels(dataset),
    ]
    tasks = learn2learn.data.Taskset(
        dataset, [*steps, transforms.ConsecutiveLabels(dataset)], num_tasks=10
    )
    data, told = tasks.sample()
    assert data.shape == (12, 1, 4, 4)
    assert sorted(told.tolist()) == [0] * 4 + [1] * 4 + [2] * 4
    classes = (data.mean((1, 2, 3)) // 10).long()
    assert all(len(set(classes[told == label].tolist())) == 1 for label in range(3))
    assert len(set(classes.tolist())) == 3


def test_bad_input_gets_a_sentence(monkeypatch):
    with pytest.raises(
        ValueError,
        match=(
            "has episodes rather than examples; metarl.interop.learn2learn_env makes it an"
            " environment"
        ),
    ):
        TaskSet(BernoulliBandit())
    with pytest.raises(ValueError, match="has no split 'held-out'; choose one of train, test"):
        TaskSet(SINES, "held-out")
    with pytest.raises(ValueError, match="at least 1, or -1 for tasks without end, not 0"):
        TaskSet(SINES, num_tasks=0)
    with pytest.raises(
        ValueError,
        match="has 10 examples and its query 50: they can't alternate. Leave alternate out",
    ):
        TaskSet(SINES, alternate=True)
    with pytest.raises(
        ValueError,
        match=r"one whole number as label for each of 3 examples, not torch.int64 of \(2,\)",
    ):
        meta_dataset(torch.zeros(3, 1), torch.tensor([0, 1]))
    monkeypatch.setitem(sys.modules, "learn2learn", None)
    with pytest.raises(
        ValueError,
        match="A MetaDataset needs learn2learn, which can't be imported .*: run `make learn2learn`",
    ):
        meta_dataset(torch.zeros(2, 1), torch.tensor([0, 1]))
