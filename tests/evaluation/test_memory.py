"""Disturbed memories.

Agents that use theirs lose by it, agents without one don't, and the right steps are disturbed.
"""

import pytest
import torch

import metarl
from metarl.core.budget import Episodes
from metarl.evaluation.episodes import episode_lengths
from metarl.evaluation.memory import DISTURBANCES, DisturbedAgent, ForgetfulAgent
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import mean

BANDITS = metarl.make("BernoulliBandit-v0", arms=5)
BUDGET = Episodes(20)
AT = 10


def matrix(agent, tasks=2000):
    return evaluate(agent, BANDITS, "test", tasks, 0, BUDGET).matrix()


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_thompson_sampling_loses_what_it_learned(disturbance):
    agent = metarl.make_agent("thompson", BANDITS, BUDGET)
    intact = matrix(agent)
    disturbed = matrix(DisturbedAgent(agent, disturbance, AT))
    lost = mean(intact[:, AT:].sum(1) - disturbed[:, AT:].sum(1))
    assert lost.low > 0.1
    if disturbance != "misled":  # until then nothing differs
        assert (intact[:, :AT] == disturbed[:, :AT]).all()


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_an_agent_without_memory_loses_nothing(disturbance):
    agent = metarl.make_agent("random", BANDITS, BUDGET)
    assert (matrix(agent, 50) == matrix(DisturbedAgent(agent, disturbance, AT), 50)).all()


def test_emptied_rows_are_shown_a_first_step():
    class Looks:
        """Takes the last arm, and keeps what it is shown."""

        def initial_state(self, batch_size):
            return ()

        def act(self, step, state, rng):
            seen.append(step)
            return torch.full_like(step.prev_action, 4), state

    seen = []
    evaluate(DisturbedAgent(Looks(), "emptied", 3), BANDITS, "test", 6, 0, Episodes(5))
    for first in (seen[0], seen[3]):
        assert first.meta_episode_start.all()
        assert not first.prev_action.any()
        assert not first.prev_reward.any()
        assert not (first.prev_terminated | first.prev_truncated).any()
    assert not seen[4].meta_episode_start.any()
    assert seen[4].prev_action.eq(4).all()


def test_swapping_gives_each_row_its_neighbours_memory():
    class Remembers:
        """Counts its own steps; its memory is the row it started in."""

        def initial_state(self, batch_size):
            return torch.arange(batch_size)

        def act(self, step, state, rng):
            seen.append(state.clone())
            return torch.zeros_like(step.prev_action), state

    seen = []
    evaluate(DisturbedAgent(Remembers(), "swapped", 3), BANDITS, "test", 4, 0, Episodes(5))
    assert [state.tolist() for state in seen] == [[0, 1, 2, 3]] * 3 + [[1, 2, 3, 0]] * 2


def test_a_forgetful_agent_is_in_every_episode_where_it_was_in_the_first():
    class Counts:
        """Goes east until the third step of its memory, then south, and so on.

        Deterministic, but for its memory.
        """

        def initial_state(self, batch_size):
            return torch.zeros(batch_size, dtype=torch.int64)

        def act(self, step, state, rng):
            state = torch.where(step.meta_episode_start, 0, state) + 1
            return state // 3 % 4, state

    mazes = metarl.make("GridMaze-v0", size=3, horizon=20)
    budget = Episodes(4)
    intact = evaluate(Counts(), mazes, "test", 60, 0, budget).matrix()
    forgetful = evaluate(ForgetfulAgent(Counts()), mazes, "test", 60, 0, budget).matrix()
    assert (forgetful == intact[:, :1]).all()
    assert not (intact == intact[:, :1]).all()


def test_a_forgetful_agent_gains_nothing_by_a_second_walk():
    mazes = metarl.make("GridMaze-v0")
    budget = Episodes(2)
    explorer = metarl.make_agent("maze-explorer", mazes, budget)
    intact, forgetful = (
        episode_lengths(evaluate(agent, mazes, "test", 300, 0, budget))
        for agent in (explorer, ForgetfulAgent(explorer))
    )
    assert (intact[:, 0] == forgetful[:, 0]).all(), "the first episode is the same"
    assert mean(forgetful[:, 1] - intact[:, 1]).low > 0
    lost = mean(forgetful[:, 1] - forgetful[:, 0], 0.9999)
    assert lost.low < 0 < lost.high, "the second is another try of the first"


def test_unknown_disturbances_and_steps_get_a_sentence():
    agent = metarl.make_agent("random", BANDITS, BUDGET)
    with pytest.raises(ValueError, match="choose one of emptied, swapped, misled"):
        DisturbedAgent(agent, "stolen", 3)
    with pytest.raises(ValueError, match="from step 1 on"):
        DisturbedAgent(agent, "swapped", 0)
