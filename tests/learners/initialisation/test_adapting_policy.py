"""The agent that adapts.

Its gradient steps are those of the episodes it played, at the right moments, and of its own row
alone.
"""

from itertools import pairwise

import pytest
import torch

from metarl.core.budget import Episodes, Steps
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.initialisation import adapting_policy
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.inner_loop import task_gradients
from metarl.learners.initialisation.maml_rl import MAMLRL
from metarl.learners.policy_gradient.advantages import estimate_advantages
from metarl.learners.policy_gradient.trajectory_buffer import empty_episodes, time_first
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.point_navigation import PointNavigation

EACH = 3
ROWS = 5
PLANE = PointNavigation(horizon=7)


def made(act="sample", **settings):
    adaptation = Adaptation(
        episodes=EACH, inner_lr=0.5, discount=0.9, gae_lambda=0.8, log_std=-2.0, act=act
    )
    return MAMLRL(
        MAMLRL.Config(tasks=2, adaptation=adaptation, network=PerceptronConfig((8,)), **settings),
        PLANE,
    )


def play(agent, budget):
    """Return every step's (step, action, outcome, state after acting), with the agent's weights as
    they were then.
    """
    env = MetaEpisodeEnv(PLANE, budget, ROWS, torch_generator(0), refill=False)
    goals = PLANE.sample(10 * ROWS, "train", 0)
    # whoever begins at its goal has nothing to learn from
    goals = goals[torch.nonzero(goals.goal.norm(dim=1) > 0.2)[:ROWS, 0]]
    step = env.reset(lambda rows, counts: goals[rows])
    state = agent.initial_state(ROWS)
    rng = torch_generator(1)
    history = []
    for _ in range(env.max_steps):
        action, state = agent.act(step, state, rng)
        seen = step
        weights = [weight.clone() for weight in state.weights]
        step, outcome = env.step(action)
        history.append((seen, action, outcome, weights))
    return history


def test_it_takes_the_gradient_step_of_its_own_episodes():
    learner = made()
    agent = learner.agent(Episodes(2 * EACH, 0))
    history = play(agent, Episodes(2 * EACH, 0))
    cpu = torch.device("cpu")
    episodes = empty_episodes(ROWS, PLANE.horizon, EACH, 2, PLANE.action_space, cpu)
    episodes = time_first(episodes)
    clock = torch.zeros(ROWS, dtype=torch.int64)
    adapted = [torch.zeros_like(weight) for weight in history[0][3]]
    for step, action, outcome, weights in history:
        for row in range(ROWS):
            e, t = int(outcome.episode[row]), int(clock[row])
            if e == EACH:
                for kept, weight in zip(adapted, weights, strict=True):
                    kept[row] = weight[row]
            if e >= EACH or not outcome.valid[row]:
                continue
            place = t, row, e
            episodes.observation[place] = learner.inputs.encode(step.observation[row])
            episodes.action[place] = action[row]  # kept within the box by deviations this small
            episodes.reward[place] = outcome.reward[row]
            episodes.valid[place] = True
            ended = outcome.terminated[row] or outcome.truncated[row]
            clock[row] = 0 if ended else t + 1
            if ended:
                episodes.terminated[place] = outcome.terminated[row]
                episodes.final_observation[row, e] = learner.inputs.encode(
                    outcome.final_observation[row]
                )
    start = [weight.expand(ROWS, *weight.shape) for weight in learner.initial]
    with torch.no_grad():
        parameters = learner.network(
            start, episodes.observation.transpose(0, 1).flatten(1, 2)
        ).unflatten(1, (PLANE.horizon, EACH))
        episodes = episodes._replace(
            log_prob=learner.actions.log_prob(parameters.transpose(0, 1), episodes.action)
        )
    found = task_gradients(learner.problem, start, estimate_advantages(episodes, 0.9, 0.8))
    for weight, gradient, after in zip(start, found.gradients, adapted, strict=True):
        assert torch.allclose(weight - 0.5 * gradient, after, atol=1e-5)
        assert not torch.allclose(weight, after)


def changes(history):
    """[T, B] bool: the weights with which a step was taken differ from those of the step before."""
    return torch.stack([
        torch.stack([(a != b).flatten(1).any(1) for a, b in zip(one[3], other[3], strict=True)]).any(0)
        for one, other in pairwise(history)
    ])  # fmt: skip


def test_it_adapts_after_every_e_episodes_and_not_in_between():
    history = play(made().agent(Episodes(3 * EACH, 0)), Episodes(3 * EACH, 0))
    for i, changed in enumerate(changes(history)):
        before = history[i][2]
        after = history[i + 1][2]
        due = (after.episode != before.episode) & (after.episode % EACH == 0) & after.valid
        assert torch.equal(changed & after.valid, due)


def test_after_the_episodes_of_learning_it_acts_by_the_mode_and_changes_no_more():
    budget = Episodes(EACH, after=2 * EACH)
    learner = made("mode")
    history = play(learner.agent(budget), budget)
    for i, changed in enumerate(changes(history)):
        later = history[i + 1][2]
        assert not (changed & (later.episode > EACH)).any()
    step, action, _, weights = history[-1]
    mode = learner.actions.mode(
        learner.network(weights, learner.inputs.encode(step.observation)[:, None])[:, 0]
    )
    assert torch.allclose(action, learner.actions.to_environment(mode))
    drawn = play(made("sample").agent(budget), budget)[-1]
    assert not torch.allclose(drawn[1], mode)


def test_steps_may_have_another_size():
    budget = Episodes(EACH, after=1)
    agent = made().agent(budget)
    moves = []
    for each in (agent, agent.with_inner_lr(0.25)):
        history = play(each, budget)
        moves.append(
            [after - before for before, after in zip(history[0][3], history[-1][3], strict=True)]
        )
    for whole, half in zip(*moves, strict=True):
        assert torch.allclose(whole, 2 * half, atol=1e-5)
    assert agent.adaptation.inner_lr == 0.5


def test_a_new_task_finds_the_shared_weights():
    learner = made()
    agent = learner.agent(Steps(40))
    budget = Steps(40)
    env = MetaEpisodeEnv(PLANE, budget, ROWS, torch_generator(0))
    step = env.reset(lambda rows, counts: PLANE.sample(len(rows), "train", 0))
    state = agent.initial_state(ROWS)
    rng = torch_generator(1)
    for t in range(45):
        action, state = agent.act(step, state, rng)
        if t in (0, 40):  # the first steps of the first two tasks
            assert all(
                torch.equal(own, shared.expand_as(own))
                for own, shared in zip(state.weights, learner.initial, strict=True)
            )
            assert (state.collected == 0).all()
            assert state.episodes.valid.sum() == ROWS
        step, _ = env.step(action)


@pytest.mark.parametrize(
    "settings", [{"episodes": 0}, {"inner_lr": 0}, {"discount": 1.5}, {"act": "guess"}]
)
def test_bad_settings_get_a_sentence(settings):
    with pytest.raises(ValueError, match="must"):
        Adaptation(**settings)


def test_a_diverging_adaptation_is_named_by_row_and_update():
    budget = Episodes(3 * EACH, 0)
    agent = made().agent(budget).with_inner_lr(1e38)
    agent.initial = [1e3 * weight for weight in agent.initial]
    with pytest.raises(
        ValueError,
        match=r"Adaptation diverged: update 1 of row \d leaves weights that aren't finite",
    ):
        play(agent, budget)


def test_too_few_episodes_to_learn_from_get_a_sentence():
    with pytest.raises(
        ValueError, match=r"adapts every 3 episodes, so it wouldn't in 2: .*Episodes\(3, after=1\)"
    ):
        made().agent(Episodes(2, after=1))


def test_steps_taken_some_rows_at_a_time_are_the_same(monkeypatch):
    budget = Episodes(2 * EACH, 0)
    whole = play(made().agent(budget), budget)[-1][3]
    monkeypatch.setattr(adapting_policy, "STEPS_AT_ONCE", 1)
    for one, other in zip(whole, play(made().agent(budget), budget)[-1][3], strict=True):
        assert torch.allclose(one, other, atol=1e-6)
