"""Meta-World's tasks are its own, drawn with the seed that is given, and nothing else is touched."""

import sys

import metaworld
import pytest

from metarl.checks.global_generators import global_generators_untouched
from metarl.tasks.metaworld.goals import benchmark_tasks, check_task_name


# Most tasks have the arm's own way to settle, few another
@pytest.mark.parametrize("name", ["reach-v3", "window-close-v3"])
def test_the_tasks_are_meta_worlds_own(name):
    ours = benchmark_tasks("ML1", 3, name)
    theirs = metaworld.ML1(name, seed=3)
    for split, tasks in (("train", theirs.train_tasks), ("test", theirs.test_tasks)):
        assert [(each.name, each.data) for each in ours[split]] == [
            (each.env_name, each.data) for each in tasks
        ]
        assert [each.number for each in ours[split]] == list(range(50))


def test_another_seed_draws_other_tasks_and_the_same_seed_the_same():
    first = benchmark_tasks("ML1", 5, "reach-v3")
    other = benchmark_tasks("ML1", 8, "reach-v3")
    assert not set(first["train"]) & set(other["train"])
    assert benchmark_tasks.__wrapped__("ML1", 5, "reach-v3") == first


def test_drawing_touches_no_global_generator_and_leaves_meta_world_as_it_was():
    settle = metaworld.SawyerXYZEnv._reset_hand
    with global_generators_untouched("drawing tasks"):
        benchmark_tasks.__wrapped__("ML1", 0, "reach-v3")
    assert metaworld.SawyerXYZEnv._reset_hand is settle


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reach-v2", "no task 'reach-v2'; did you mean .*reach-v3"),
        ("zzz", "no task 'zzz'; choose one of assembly-v3, "),
    ],
)
def test_an_unknown_task_names_near_ones(name, words):
    with pytest.raises(ValueError, match=words):
        check_task_name(name)


def test_without_meta_world_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "metaworld", None)
    with pytest.raises(
        ValueError, match=r"Meta-World isn't installed; `pip install -e '\.\[metaworld\]'"
    ):
        check_task_name("reach-v3")
