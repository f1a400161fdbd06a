"""Joint training.

Which tasks rows play, what is shown of them, and how it goes on after a break.
"""

from collections import Counter
from functools import partial

import pytest
import torch

from metarl.core.budget import Episodes, Steps
from metarl.core.step import Outcome
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.evaluation.protocol import evaluate
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.transfer.joint import Scores
from metarl.learners.transfer.joint_ppo import JointPPO, JointPPOConfig
from metarl.learners.transfer.online import FrozenAgent, OnlineAgent
from metarl.tasks.mdps.identity import Identity
from tests.checks.line import Line

PPO = PPOConfig(minibatches=2, epochs=2, lr=1e-2, lr_end=1e-2)
CONFIG = JointPPOConfig(
    num_envs=6, steps=8, iterations=4, ppo=PPO, fine_tuning_steps=8, fine_tuning=PPO
)
LINES = partial(
    GymnasiumDistribution,
    "Line-v0",
    Line,
    {"train": [-3.0, 2.0, 3.0], "test": [-2.5, 2.5]},
    horizon=4,
)


def outcome(reward, terminated, truncated, success):
    flags = [torch.tensor(each) for each in (terminated, truncated)]
    rest = torch.zeros(2, dtype=torch.int64)
    rewards = torch.tensor(reward)
    return Outcome(
        rewards, *flags, rest, torch.tensor(success), rest, rest, rest == 1, rest == 0, rewards
    )


def test_scores_are_those_of_whole_episodes():
    scores = Scores(2)
    scores.note(outcome([1.0, 5.0], [False, False], [False, False], [False, True]))
    assert scores.metrics() == {"return": 3.0, "success": 0.5, "episodes": 0.0}
    scores.note(outcome([2.0, 5.0], [True, False], [False, False], [False, False]))
    assert scores.metrics() == {"return": 3.0, "success": 0.0, "episodes": 1.0}
    scores.note(outcome([9.0, -2.0], [False, False], [False, True], [False, False]))
    assert scores.metrics() == {"return": (3 + 8) / 2, "success": 0.5, "episodes": 2.0}
    assert scores.running.tolist() == [9, 0]


@pytest.mark.parametrize("assignment", ["draw", "fixed"])
def test_rows_play_all_training_tasks_alike(assignment):
    learner = JointPPO(JointPPOConfig(num_envs=6, steps=8, assignment=assignment), LINES(), 0)
    source = learner._tasks()
    rows = torch.arange(6)
    drawn = [source(rows, torch.full((6,), j)).index.tolist() for j in range(20)]
    if assignment == "fixed":
        assert all(each == drawn[0] for each in drawn)
        assert Counter(drawn[0]) == {0: 2, 1: 2, 2: 2}
    else:
        assert len({tuple(each) for each in drawn}) > 1
        assert all(set(each) == {0, 1, 2} for each in drawn)
    # Of training, never another split
    assert set(source(rows, torch.zeros(6, dtype=torch.int64)).split.tolist()) == {0}


def test_environments_go_on_with_tasks_that_were_not_begun_before():
    learner = JointPPO(CONFIG, LINES(), 0)
    for _ in range(2):
        learner.update()
    begun = int(learner.env.task.max()) + 1
    other = JointPPO(CONFIG, LINES(), 0)
    other.load_state_dict(learner.state_dict())
    assert other.first_task == begun
    assert (other.iteration, other.steps) == (2, 2 * 6 * 8)
    assert other.scores.episodes == learner.scores.episodes
    other.update()
    learner.close()
    learner.update()  # closed and opened again: as if resumed
    assert learner.first_task == begun


def test_episodes_that_a_break_cuts_are_in_no_score():
    config = JointPPOConfig(num_envs=6, steps=3, iterations=9, ppo=PPO)
    learner = JointPPO(config, LINES(), 0)
    other = JointPPO(config, LINES(), 7)
    for each in (learner, other):  # the other has scores of its own, which go
        each.update()
    other.load_state_dict(learner.state_dict())
    learner.close()
    for each in (learner, other):
        for _ in range(3):
            each.update()
        assert each.scores.episodes == len(each.scores.returns) > 6
        assert min(each.scores.returns) > -0.41, (
            "an episode has four steps at most, which cost 0.1 each"
        )


def test_tensor_families_go_on_where_they_stood_also_after_closing():
    one, two = (
        JointPPO(JointPPOConfig(num_envs=6, steps=3, iterations=9, ppo=PPO), Identity(3, 4), 0)
        for _ in range(2)
    )
    for i in range(5):
        assert one.update() == two.update()
        if i == 2:
            two.close()


def test_given_steps_it_learns_on_and_given_episodes_it_does_not():
    learner = JointPPO(CONFIG, Identity(3, 4), 0)
    learner.update()
    before = learner.weights()["policy"]
    fixed = learner.agent(Episodes(1, 0))
    tuned = learner.agent(Steps(20))
    assert isinstance(fixed, FrozenAgent)
    assert isinstance(tuned, OnlineAgent)
    states = tuned.initial_state(2)
    evaluate(fixed, learner.distribution, "test", 3, 0, Episodes(1, 0))
    alone = tuned.make(5)
    assert all(
        torch.equal(weight, before[name]) for name, weight in alone.weights()["policy"].items()
    )
    rows = evaluate(tuned, learner.distribution, "test", 3, 0, Steps(20)).rows()
    assert rows.groupby("task")["length"].sum().tolist() == [20] * 3
    assert all(
        torch.equal(weight, before[name]) for name, weight in learner.weights()["policy"].items()
    )
    assert states == [None, None]


def fine_tuned_returns(seed, lr=2e-2):
    """Mean returns of the first and of the last thirty episodes in three tasks.

    4 at most, 4/3 by chance.
    """
    tasks = Identity(3, 4)
    quick = PPOConfig(minibatches=4, epochs=4, lr=lr, lr_end=lr, entropy_coef=0.05)
    agent = JointPPO(JointPPOConfig(fine_tuning_steps=64, fine_tuning=quick), tasks, seed).agent(
        Steps(2000)
    )
    returns = evaluate(agent, tasks, "test", 3, seed, Steps(2000)).rows().groupby("task")["return"]
    return returns.head(30).mean(), returns.tail(30).mean()


def test_fine_tuning_improves_on_the_task():
    first, last = fine_tuned_returns(seed=0)
    assert first < 2.3 < last


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"num_envs": 0}, "num_envs must be at least 1, not 0"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"assignment": "mine"}, "There is no assignment 'mine'; choose one of draw, fixed"),
    ],
)
def test_bad_settings(settings, problem):
    with pytest.raises(ValueError, match=problem):
        JointPPOConfig(**settings)


def test_several_seeds_and_seeds_are_refused():
    with pytest.raises(ValueError, match="one seed at a time"):
        JointPPO(CONFIG, Identity(3, 4), (0, 1))
    with pytest.raises(ValueError, match="There is no seed number 1"):
        JointPPO(CONFIG, Identity(3, 4), 0).agent(Episodes(1, 0), 1)
