"""Joint PPO in several ranks.

Each plays its rows, keeps what it played to itself, and takes the steps that all take.
"""

from dataclasses import replace

import pytest
import torch
from torch.utils._pytree import tree_map_only

from metarl.learners.policy_gradient.online_ppo import OnlinePPO
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.transfer.joint_ppo import JointPPO, JointPPOConfig
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.mdps.identity import Identity
from tests.learners.ranks import in_ranks
from tests.learners.small_rl2 import same, updates

PPO = PPOConfig(minibatches=3, epochs=2, lr=1e-3, lr_end=1e-3)
CONFIG = JointPPOConfig(
    num_envs=6, steps=8, iterations=20, processes=2, ppo=PPO, fine_tuning_steps=8, fine_tuning=PPO
)


@pytest.mark.parametrize("size", [2, 3])
def test_given_the_same_rollout_ranks_give_the_update_of_one(size, monkeypatch):
    rollouts = []
    improve = OnlinePPO.improve

    def noted(self, observation):
        rollouts.append(
            (tree_map_only(torch.Tensor, torch.clone, self._trajectory), observation.clone())
        )
        improve(self, observation)

    distribution = MovingBandits(horizon=5)
    monkeypatch.setattr(OnlinePPO, "improve", noted)
    alone = JointPPO(replace(CONFIG, processes=1), distribution)
    updates(alone, 3)
    monkeypatch.setattr(OnlinePPO, "improve", improve)

    def run(group):
        online = JointPPO(replace(CONFIG, processes=size), distribution, group=group).online
        online.group = group
        rows = slice(group.rank() * 6 // size, (group.rank() + 1) * 6 // size)
        for iteration, (played, observation) in enumerate(rollouts):
            online.progress = iteration / CONFIG.iterations
            for own, part in zip(online._trajectory, played, strict=True):
                if own is not None:
                    own.copy_(part[:, rows])
            online.improve(observation[rows])
        return online.policy.state_dict()

    wanted = alone.online.policy.state_dict()
    assert int(wanted["inputs.observation_moments.count"]) == 3 * 8 * 6
    for weights in in_ranks(size, run):
        for name, weight in wanted.items():
            torch.testing.assert_close(weights[name], weight, rtol=0, atol=1e-6, check_dtype=True)


def test_a_rank_without_a_step_in_a_minibatch_takes_the_same_steps():
    config = replace(CONFIG, num_envs=2, steps=3, ppo=replace(PPO, minibatches=3))

    def run(group):
        learner = JointPPO(config, Identity(3, 4), group=group)
        return updates(learner, 3), learner.weights()

    (metrics, here), (_, there) = in_ranks(2, run)
    assert same(here, there)
    assert all(each["grad_norm"] > 0 for each in metrics)


@pytest.mark.parametrize("assignment", ["draw", "fixed"])
def test_ranks_play_the_tasks_that_one_process_would(assignment):
    config = replace(CONFIG, assignment=assignment)
    rows = torch.arange(6)
    whole = JointPPO(replace(config, processes=1), Identity(3, 4))._tasks()(rows, rows)

    def tasks(group):
        own = rows[group.rank() * 3 :][:3]
        return JointPPO(config, Identity(3, 4), group=group)._tasks()(torch.arange(3), own)

    assert torch.equal(torch.cat([each.numbers for each in in_ranks(2, tasks)]), whole.numbers)


def test_what_is_shown_is_of_all_ranks():
    def run(group):
        return updates(JointPPO(CONFIG, Identity(3, 4), group=group), 2)

    here, there = in_ranks(2, run)
    assert here == there
    assert (here[-1]["steps"], here[-1]["episodes"]) == (2 * 6 * 8, 2 * 6 * 2)


@pytest.mark.parametrize(
    "reopened", [False, True], ids=["into open processes", "into a new learner"]
)
def test_training_resumes_bit_for_bit(reopened):
    config = replace(CONFIG, steps=6)  # episodes of 4 steps are under way when it is saved
    learner = JointPPO(config, Identity(3, 4))
    updates(learner, 1)
    state = learner.state_dict()
    after = updates(learner, 2)
    if reopened:
        learner.close()
        learner = JointPPO(config, Identity(3, 4))
    learner.load_state_dict(state)
    assert updates(learner, 2) == after
    learner.close()


def test_a_closed_learner_goes_on_where_it_was():
    learner = JointPPO(replace(CONFIG, steps=6), Identity(3, 4))
    updates(learner, 1)
    state = learner.state_dict()
    after = updates(learner, 1)
    learner.load_state_dict(state)
    learner.close()
    assert updates(learner, 1) == after
    learner.close()


def test_bad_settings_get_a_sentence():
    with pytest.raises(ValueError, match=r"num_envs \(6\) must be a multiple of processes \(4\)"):
        replace(CONFIG, processes=4)
    with pytest.raises(ValueError, match="processes must be at least 1"):
        replace(CONFIG, processes=0)
