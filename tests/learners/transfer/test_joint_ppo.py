"""Joint PPO: which settings hold where, and that many steps a row make one update."""

import pytest

from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.transfer.joint_ppo import JointPPO, JointPPOConfig
from metarl.tasks.mdps.identity import Identity


def test_training_and_fine_tuning_have_settings_of_their_own():
    joint = PPOConfig(minibatches=2, lr=1e-2)
    alone = PPOConfig(minibatches=1, lr=1e-3)
    config = JointPPOConfig(
        num_envs=4, steps=8, reward_scale=0.1, ppo=joint, fine_tuning_steps=16, fine_tuning=alone
    )
    learner = JointPPO(config, Identity(3, 4), 0)
    assert (
        learner.online.rows,
        learner.online.config.rollout_steps,
        learner.online.config.ppo,
    ) == (4, 8, joint)
    tuned = learner.new_online(1, 0, alone=True)
    assert (
        tuned.rows,
        tuned.config.rollout_steps,
        tuned.config.ppo,
        tuned.config.reward_scale,
    ) == (1, 16, alone, 0.1)


def test_an_iteration_is_one_update_with_the_learning_rate_of_its_time():
    learner = JointPPO(
        JointPPOConfig(
            num_envs=4, steps=8, iterations=4, ppo=PPOConfig(minibatches=2, lr=1e-2, lr_end=0.0)
        ),
        Identity(3, 4),
        0,
    )
    rates = []
    while not learner.finished:
        metrics = learner.update()
        rates.append(learner.online.optimizer.param_groups[0]["lr"])
        assert metrics["entropy"] > 0
    assert rates == pytest.approx([1e-2, 0.75e-2, 0.5e-2, 0.25e-2])
    assert metrics["steps"] == 4 * 32
