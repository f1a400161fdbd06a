"""The agent that draws one of two perfect walkers every few steps."""

import math

import pytest
import torch

from metarl.agents.registry import agent_names
from metarl.agents.scripted.random_master import RandomMaster
from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.evaluation.protocol import evaluate
from metarl.tasks.control.moving_bandits import MovingBandits, move_towards
from metarl.tasks.mazes.grid_navi import GridNavi

BUDGET = Episodes(2, 0)


def test_its_return_with_ten_steps_a_choice():
    distribution = MovingBandits()
    scores = (
        evaluate(RandomMaster(distribution, BUDGET), distribution, "test", 8000, 0, BUDGET).scores()
        / 2
    )
    assert scores.mean() == pytest.approx(17.5, abs=0.05 + 4 * scores.std() / math.sqrt(8000))


def test_a_choice_stands_for_its_steps_and_each_episode_has_new_ones():
    distribution = MovingBandits(horizon=7)
    rows = 500
    agent = RandomMaster(distribution, BUDGET, option_length=3)
    tasks = distribution.sample(500, "train", 0)
    env = MetaEpisodeEnv(distribution, BUDGET, rows, torch_generator(0, "noise"))
    step = env.reset(lambda row, count: tasks)
    state = agent.initial_state(rows)
    rng = torch_generator(0, "agent")
    options = []
    for _ in range(14):
        action, state = agent.act(step, state, rng)
        assert torch.equal(action, move_towards(step.observation, state.option))
        options.append(state.option)
        step, _ = env.step(action)
    changed = (torch.stack(options)[1:] != torch.stack(options)[:-1]).double().mean(1)
    for t, share in enumerate(changed, 1):
        drawn = t % 7 in (0, 3, 6)
        assert share.item() == (
            pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(rows)) if drawn else 0
        ), t


def test_it_plays_moving_bandits_only():
    assert "random-master" in agent_names(MovingBandits())
    assert "random-master" not in agent_names(GridNavi())
    with pytest.raises(ValueError, match="plays MovingBandits, whose goals"):
        RandomMaster(GridNavi(), BUDGET)
    with pytest.raises(ValueError, match="option_length must be at least 1 step, not 0"):
        RandomMaster(MovingBandits(), BUDGET, option_length=0)
