"""ML1, ML10 and ML45 as task distributions.

Splits, horizon, success apart from return, the boundary.
"""

import metaworld
import pytest
import torch

import metarl
from metarl.agents.registry import make_agent
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.evaluation.protocol import evaluate
from metarl.tasks.metaworld.meta_world import MetaWorldML1, MetaWorldML10


def names(distribution, split):
    return {task.name for task in distribution.task_lists[split]}


@pytest.mark.parametrize("id", ["MetaWorldML10-v0", "MetaWorldML45-v0"])
def test_the_kinds_of_task_of_the_splits_are_the_benchmarks_and_disjoint(id):
    distribution = metarl.make(id, horizon=10)
    official = {
        "MetaWorldML10-v0": metaworld.env_dict.ML10_V3,
        "MetaWorldML45-v0": metaworld.env_dict.ML45_V3,
    }[id]
    for split in ("train", "test"):
        tasks = distribution.task_lists[split]
        assert list(dict.fromkeys(each.name for each in tasks)) == list(official[split])
        assert [each.number for each in tasks] == list(range(50)) * len(official[split])
    assert not names(distribution, "train") & names(distribution, "test")


def test_ml10s_kinds_of_task_are_among_ml45s():
    """So that tests which play every family play ML45 for both (tests/playable.py)."""
    ten, more = (
        {*each["train"], *each["test"]}
        for each in (metaworld.env_dict.ML10_V3, metaworld.env_dict.ML45_V3)
    )
    assert ten < more


def test_goals_of_ml1_are_disjoint():
    distribution = MetaWorldML1("push-v3")
    goals = {
        split: {task.data for task in distribution.task_lists[split]} for split in ("train", "test")
    }
    assert len(goals["train"]) == len(goals["test"]) == 50
    assert not goals["train"] & goals["test"]


def test_the_same_arguments_give_the_same_tasks():
    one = MetaWorldML1()
    two = MetaWorldML1(horizon=7)
    other = MetaWorldML1(goal_seed=1)
    drawn = [
        distribution.values(distribution.sample(60, "train", 4))
        for distribution in (one, two, other)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert len(set(drawn[0][:50])) == 50


def test_the_horizon_is_fixed_and_the_boundary_reaches_the_agent():
    distribution = MetaWorldML1(horizon=6)
    env = MetaEpisodeEnv(distribution, Episodes(2, 0), 3, torch_generator(0))
    step = env.reset(fresh_tasks(distribution, "train", 3, 0))
    start = step.observation.clone()
    action = torch.tensor([[1.0, 0.5, -0.5, 0.0]]).expand(3, -1).contiguous()
    for t in range(1, 13):
        step, outcome = env.step(action)
        assert not outcome.terminated.any()
        assert outcome.truncated.all() == (t % 6 == 0)
        # The first episode's end: its last reward, its last frame and the second one's start, in
        # one step
        if t == 6:
            assert (outcome.reward > 0).all()
            assert torch.equal(step.prev_reward, outcome.reward)
            assert torch.equal(step.prev_action, action)
            assert step.prev_truncated.all()
            assert not step.meta_episode_start.any()
            assert torch.equal(step.observation, start)
            assert torch.equal(step.final_observation, outcome.final_observation)
            assert not torch.equal(step.final_observation, start)
    assert step.meta_episode_start.all()
    env.close()


def test_changing_tasks_reuses_environments_and_changes_nothing():
    distribution = MetaWorldML10(horizon=5)
    budget = Episodes(1, 0)
    agent = make_agent("random", distribution, budget)
    first, second = (evaluate(agent, distribution, "train", 12, 3, budget) for _ in range(2))
    assert first.rows().equals(second.rows())


def test_rows_say_the_task_and_its_variation():
    distribution = MetaWorldML10(horizon=5)
    rows = distribution.open(2, torch_generator(0))
    tasks = distribution.sample(2, "test", 0)
    rows.reset(torch.ones(2, dtype=torch.bool), tasks)
    task = distribution.values(tasks)[1]
    assert rows.describe(1) == f"test task {int(tasks.index[1])} ({task.name} {task.number})"
    rows.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"task": "reech-v3"}, "no task 'reech-v3'; did you mean reach-v3"),
        ({"horizon": 501}, "horizon must lie between 1 and 500"),
        ({"horizon": 0}, "horizon must lie between 1 and 500"),
        ({"goal_seed": -1}, "goal_seed must lie between 0 and"),
        ({"reward": "v3"}, "no reward version 'v3'; choose v1 or v2"),
        ({"workers": -1}, "workers must be at least 0"),
    ],
)
def test_bad_arguments_get_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words):
        metarl.make("MetaWorldML1-v0", **arguments)
