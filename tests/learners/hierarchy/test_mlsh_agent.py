"""MLSH's agent.

Options hold N steps, the master learns after D steps as in training, and stops learning when scores
are taken.
"""

from dataclasses import replace

import pytest
import torch
from torch.utils._pytree import tree_map_only

from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.hierarchy.mlsh import MLSH, MLSHConfig
from metarl.learners.hierarchy.options import by_sub_policy
from metarl.learners.policy_gradient.advantages import estimate_advantages
from metarl.learners.policy_gradient.stacked_ppo import StackedPPO, improved
from metarl.learners.policy_gradient.trajectory_buffer import time_first
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.moving_bandits import MovingBandits

TASKS = MovingBandits(horizon=6)
# Two episodes, two choices each
CONFIG = MLSHConfig(option_length=3, steps=12, network=PerceptronConfig((8,)))


def played(budget, steps, rows=3, draws=0):
    """Return the agent's states after each step."""
    agent = MLSH(CONFIG, TASKS, 2).agent(budget)
    env = MetaEpisodeEnv(TASKS, budget, rows, torch_generator(0))
    step = env.reset(fresh_tasks(TASKS, "test", rows, 0))
    state = agent.initial_state(rows)
    states = []
    for _ in range(steps):
        action, state = agent.act(step, state, torch_generator(len(states), "agent", draws))
        step, _ = env.step(action)
        masters = state.masters.of_rows(torch.arange(rows))
        episodes = tree_map_only(torch.Tensor, torch.clone, state.episodes)
        states.append(state._replace(masters=masters, episodes=episodes))
    return agent, states, step


def test_options_hold_for_n_steps_and_begin_with_episodes():
    _, states, _ = played(Episodes(6, 0), 24)
    options = torch.stack([state.option for state in states]).unflatten(
        0, (-1, 3)
    )  # [choices, N, B]
    assert bool((options == options[:, :1]).all())
    assert len(options.flatten().unique()) == 2


def test_a_master_learns_after_d_steps_as_in_training():
    agent, states, step = played(Episodes(6, 0), 12)
    assert all(state.masters.taken.tolist() == [0, 0, 0] for state in states)
    before = agent.note(step, states[-1])
    assert before.collected.tolist() == [2, 2, 2]
    choices = time_first(before.episodes).columns(torch.arange(3))
    assert bool(choices.valid.all())
    assert choices.reward.shape == (2, 3, 2)
    batch = estimate_advantages(
        choices, agent.settings.discount, agent.settings.gae_lambda, by_time_alone=True
    )
    hierarchy = agent.hierarchy
    wanted = improved(
        hierarchy.master,
        hierarchy.options,
        before.masters,
        batch,
        agent.settings,
        torch_generator(0, "master's minibatches"),
    )
    after = agent.improve(before)
    assert after.masters.taken.tolist() == [30, 30, 30]  # ten passes of three minibatches
    for one, other in zip(after.masters.weights, wanted.weights, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert not bool(after.episodes.valid.any())


def test_sub_policies_stay_as_they_are():
    learner = MLSH(CONFIG, TASKS, 2)
    agent, _, _ = played(Episodes(6, 0), 30)
    for own, trained in zip(agent.sub_policies, learner.sub_policies.weights, strict=True):
        assert torch.equal(own, trained)


def test_nothing_is_learned_from_scored_episodes():
    _, states, _ = played(Episodes(2, after=4), 36)
    assert states[12].masters.taken.tolist() == states[-1].masters.taken.tolist() == [30, 30, 30]


def test_scored_episodes_are_played_without_a_draw():
    budget = Episodes(0, after=3)
    plays = [
        [state.option.tolist() for state in played(budget, 18, draws=draws)[1]] for draws in (0, 1)
    ]
    assert plays[0] == plays[1]
    learning = [
        [state.option.tolist() for state in played(Episodes(3, 0), 18, draws=draws)[1]]
        for draws in (0, 1)
    ]
    assert learning[0] != learning[1]


def test_a_new_task_gets_a_new_master():
    _, states, _ = played(Episodes(3, 0), 19)
    assert states[17].masters.taken.tolist() == [30, 30, 30]
    assert states[18].masters.taken.tolist() == [0, 0, 0]


def test_too_few_episodes_to_learn_from_get_a_sentence():
    with pytest.raises(ValueError, match="learns from 2 episodes at a time"):
        MLSH(CONFIG, TASKS).agent(Episodes(1, after=1))


def tuned(budget, steps, warmup_updates=1):
    """Return every state of an agent whose sub-policies learn on."""
    moved = StackedPPO(entropy_coef=0.1)  # even by episodes without a reward
    learner = MLSH(replace(CONFIG, fine_tune_after=warmup_updates, sub_policy=moved), TASKS, 2)
    agent = learner.agent(budget)
    rows = 3
    env = MetaEpisodeEnv(TASKS, budget, rows, torch_generator(0, "environment"))
    step = env.reset(fresh_tasks(TASKS, "test", rows, 0))
    state = agent.initial_state(rows)
    kept = []
    for i in range(steps):
        action, state = agent.act(step, state, torch_generator(i, "agent"))
        kept.append(
            (state.own.stack.of_rows(torch.arange(6)), state.masters.of_rows(torch.arange(rows)))
        )
        step, _ = env.step(action)
    return learner, agent, kept, state, step


def test_own_sub_policies_learn_after_the_masters_warm_up_only():
    learner, agent, kept, _, _ = tuned(Episodes(8, 0), 30)
    copies = [
        weight.repeat(3, *(1,) * (weight.dim() - 1)) for weight in learner.sub_policies.weights
    ]
    for moment, changed in ((0, False), (12, False), (23, False), (24, True)):
        own = kept[moment][0].weights
        assert (
            all(torch.equal(one, other) for one, other in zip(own, copies, strict=True)) != changed
        )
    assert kept[24][1].taken.tolist() == [60, 60, 60]
    for own, trained in zip(agent.sub_policies, learner.sub_policies.weights, strict=True):
        assert torch.equal(own, trained)  # those that a new task begins with


def test_own_sub_policies_learn_as_in_training():
    learner, agent, kept, state, step = tuned(Episodes(8, 0), 24)
    before = agent.note(step, state)
    hierarchy = agent.hierarchy
    settings = learner.config.sub_policy
    stack = kept[-1][0]
    after = agent.improve(before).own.stack
    for row in range(3):
        own = (
            time_first(before.own.steps)
            .columns(torch.tensor([row]))
            ._replace(valid=torch.ones(6, 1, 2, dtype=torch.bool))
        )
        batch = estimate_advantages(own, settings.discount, settings.gae_lambda)
        option = time_first(before.episodes).action[:, row].repeat_interleave(3, 0).flatten()[None]
        examples, share = by_sub_policy(batch, option, hierarchy)
        pair = torch.tensor([2 * row, 2 * row + 1])
        cuts = torch_generator(0, "sub-policies' minibatches")
        wanted = improved(
            hierarchy.sub_policy,
            hierarchy.actions,
            stack.of_rows(pair),
            examples,
            settings,
            cuts,
            share,
        )
        for one, other in zip(wanted.weights, after.of_rows(pair).weights, strict=True):
            assert torch.allclose(one, other, atol=1e-6)
    assert not torch.equal(after.weights[0][0], after.weights[0][2])  # another task's


def test_a_new_task_begins_with_the_trained_sub_policies():
    learner, _, kept, _, _ = tuned(Episodes(3, 0), 19, warmup_updates=0)
    first = learner.sub_policies.weights[0].repeat(3, 1, 1)
    assert not torch.equal(kept[17][0].weights[0], first)
    assert torch.equal(kept[18][0].weights[0], first)
    assert kept[18][0].taken.tolist() == [0] * 6


def test_own_sub_policies_steps_are_weighed_by_use_as_in_training():
    moves = []
    for weigh in (True, False):
        moved = StackedPPO(lr=1e-3, epochs=1, minibatches=1, entropy_coef=0.1)
        config = replace(
            CONFIG, fine_tune_after=0, warmup_updates=0, weigh_by_use=weigh, sub_policy=moved
        )
        learner = MLSH(config, TASKS, 2)
        agent = learner.agent(Episodes(8, 0))
        assert agent.fine_tuning == (moved, 0, weigh, True)
        env = MetaEpisodeEnv(TASKS, Episodes(8, 0), 1, torch_generator(0, "environment"))
        step = env.reset(fresh_tasks(TASKS, "test", 1, 0))
        state = agent.initial_state(1)
        for i in range(13):
            action, state = agent.act(step, state, torch_generator(i, "agent"))
            step, _ = env.step(action)
        first = learner.sub_policies.weights[-1]
        moves.append((state.own.stack.weights[-1] - first).abs().max(1).values)
    used = moves[1] > 0
    assert bool((moves[0][used] > 0).all())
    assert bool((moves[0][~used] == 0).all())
    # A sub-policy that acted a part of the time moves less; one that acted alone moves as far.
    less = torch.lt if int(used.sum()) > 1 else torch.le
    assert bool(less(moves[0][used], moves[1][used]).all())


@pytest.mark.parametrize("on", ["own", "all"])
def test_a_sub_policy_that_never_acts_learns_from_all_steps_only(on):
    moved = StackedPPO(lr=1e-3, epochs=1, minibatches=1, entropy_coef=0.1)
    learner = MLSH(
        replace(CONFIG, fine_tune_after=0, warmup_updates=0, fine_tune_on=on, sub_policy=moved),
        TASKS,
        2,
    )
    learner.first_master[-1][:] = torch.tensor([0.0, -60.0])  # nobody chooses the second
    agent = learner.agent(Episodes(8, 0))
    first = learner.sub_policies.weights[-1]
    env = MetaEpisodeEnv(TASKS, Episodes(8, 0), 1, torch_generator(0, "environment"))
    step = env.reset(fresh_tasks(TASKS, "test", 1, 0))
    state = agent.initial_state(1)
    for i in range(13):
        action, state = agent.act(step, state, torch_generator(i, "agent"))
        step, _ = env.step(action)
    moves = (state.own.stack.weights[-1] - first).abs().max(1).values
    assert (moves > 0).tolist() == [True, on == "all"]
