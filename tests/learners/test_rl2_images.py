"""RL² from images: it learns, acting = training, several seeds, several processes, checkpoints."""

import pytest
import torch

from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.learners.memory.rl2 import RL2, RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.networks.policies.policy import NetworkConfig, Policy
from tests.learners.made_images import Bars
from tests.learners.ranks import in_ranks
from tests.learners.small_rl2 import alone_and_together, every_core, play, same, small, updates


def seeing(core="gru", encoder="rl2", **settings):
    return small(
        core,
        episodes=2,
        network=NetworkConfig(core, hidden_size=8, heads=2, encoder=encoder),
        **settings,
    )


@every_core
@alone_and_together
@torch.no_grad()
def test_recomputed_log_probabilities_equal_those_of_the_rollout(core, seed):
    learner = RL2(seeing(core), Bars(), seed)
    with torch.enable_grad():
        updates(learner, 2)
    rollout = play(learner)
    assert rollout.steps.observation.dtype == torch.uint8
    assert not rollout.valid.all()
    outputs = [learner.policy.sequence(rollout.steps)]
    if isinstance(learner.policy, Policy):
        outputs.append(
            learner.policy.sequence(learner.policy.preprocess(rollout.steps, rollout.valid))
        )
    for output in outputs:
        log_prob = learner.actions.log_prob(output.parameters, rollout.action)
        assert float(output.parameters.std()) > 1e-3
        torch.testing.assert_close(
            log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-5, atol=1e-5
        )


@alone_and_together
def test_the_first_pass_of_every_update_sees_the_policy_that_played(seed):
    learner = RL2(seeing(ppo=PPOConfig(epochs=1, minibatches=1, lr=1e-2)), Bars(), seed)
    for metrics in updates(learner, 3):
        assert metrics["kl"] == pytest.approx(0, abs=1e-5)


def test_an_update_encodes_each_image_that_counts_once_an_epoch():
    learner = RL2(seeing(ppo=PPOConfig(epochs=3, minibatches=2)), Bars(), 0)
    encoded = []
    learner.policy.encoder.register_forward_hook(
        lambda module, given, features: encoded.append(
            len(given[0]) if features.requires_grad else 0
        )
    )
    (metrics,) = updates(learner, 1)
    # epochs, rows, episodes, most steps
    assert sum(encoded) == 3 * metrics["steps"] < 3 * 8 * 2 * 4


@alone_and_together
def test_updates_change_the_encoder(seed):
    learner = RL2(seeing(), Bars(), seed)
    before = [learner.weights(seed_index)["policy"] for seed_index in range(learner.num_seeds)]
    updates(learner, 1)
    for seed_index, old in enumerate(before):
        new = learner.weights(seed_index)["policy"]
        assert all(
            not torch.equal(new[name], old[name])
            for name in old
            if name.startswith("encoder.") and name.endswith("weight")
        )


@alone_and_together
def test_a_resumed_learner_goes_on_bit_for_bit(seed):
    learner, resumed = (RL2(seeing(), Bars(), seed) for _ in range(2))
    updates(learner, 1)
    resumed.load_state_dict(learner.state_dict())
    updates(learner, 1)
    updates(resumed, 1)
    assert same(learner.state_dict(), resumed.state_dict())


def test_two_ranks_take_the_same_steps():
    def run(group):
        learner = RL2(seeing(processes=2), Bars(), (0, 1), group=group)
        return updates(learner, 2), learner.weights()

    (metrics, here), (_, there) = in_ranks(2, run)
    assert same(here, there)
    assert all(each["grad_norm"] > 0 for each in metrics)


def score_of(distribution, core="gru", encoder="rl2", seed=0, **settings):
    """Share of the optimum on test tasks, of the worst seed."""
    network = NetworkConfig(core, hidden_size=16, heads=2, layers=1, encoder=encoder)
    config = RL2Config(
        2,
        network=network,
        **{"num_envs": 64, "iterations": 20, "ppo": PPOConfig(lr=5e-3, minibatches=2), **settings},
    )
    learner = RL2(config, distribution, seed)
    budget = Episodes(2)
    while not learner.finished:
        learner.update()
    optimum = 2 * distribution.sample(500, "test", 0).length.double().mean()
    agents = [learner.agent(budget, seed_index) for seed_index in range(learner.num_seeds)]
    return min(
        float(evaluate(agent, distribution, "test", 500, 0, budget).scores().mean() / optimum)
        for agent in agents
    )


@pytest.mark.parametrize(
    ("core", "encoder", "seed"),
    [("gru", "rl2", 0), ("lstm", "auto", 0), ("attention", "rl2", 0), ("gru", "rl2", (0, 1))],
    ids=str,
)
def test_it_learns_to_read_images(core, encoder, seed):
    assert score_of(Bars(), core, encoder, seed) > 0.9  # random play: 1/3


def test_it_learns_with_impalas_encoder():
    small_images = Bars(height=4, width=9)
    ppo = PPOConfig(lr=3e-3, minibatches=2)
    assert score_of(small_images, encoder="impala", num_envs=128, iterations=16, ppo=ppo) > 0.9
