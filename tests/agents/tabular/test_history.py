"""What agents remember of tabular MDPs.

No transition is lost or invented, least of all at an episode's end.
"""

import itertools

import pytest
import torch

from metarl.agents.tabular.history import BLOCK, no_history, remember, transition_sums
from tests.agents.tabular_steps import invented, side_by_side, told


def after(steps, states, actions, capacity=50):
    """Return the history once `steps` have been seen."""
    history = no_history(len(steps[0].observation), capacity, states, actions)
    state = torch.zeros(len(steps[0].observation), dtype=torch.int64)
    for step in steps:
        history = remember(history, step, state, states, actions)
        state = step.observation
    return history


def counts_of(history, states, actions):
    """[B, s, a, s']"""
    return (
        transition_sums(history, states, actions)
        .view(-1, states, states, actions)
        .permute(0, 2, 3, 1)
    )


@pytest.mark.parametrize("end", ["terminated", "truncated"])
def test_the_last_transition_of_an_episode_leads_to_what_it_showed_last(end):
    steps = told(
        0,
        [
            (1, 2.0, 2, None),
            (0, 3.0, 1, end),
            (1, -1.0, 2, None),
            (0, 4.0, 1, end),
            (1, 7.0, 0, None),
        ],
    )
    history = after(steps, 3, 2)
    wanted = torch.zeros(3, 2, 3)
    wanted[0, 1, 2] = 2
    wanted[2, 0, 1] = 2  # from state 2 to state 1, although the next episode's observation is 0
    wanted[0, 1, 0] = 1
    assert torch.equal(counts_of(history, 3, 2)[0], wanted)
    assert history.visits.tolist() == [[0, 3, 0, 0, 2, 0]]
    assert history.reward_sum.tolist() == [[0, 8, 0, 0, 7, 0]]
    assert history.length.tolist() == [5]


def test_rows_keep_their_own_history_and_forget_on_their_own():
    one = told(0, [(1, 1.0, 1, None), (0, 2.0, 0, "truncated"), (1, 3.0, 1, None)])
    # Its task changes in the middle
    two = told(0, [(0, 5.0, 1, None)]) + told(1, [(1, 6.0, 1, "terminated")])
    history = after(side_by_side([one, two]), 2, 2)
    assert history.length.tolist() == [3, 1]
    assert history.visits.tolist() == [[0, 2, 1, 0], [0, 0, 0, 1]]
    assert history.reward_sum.tolist() == [[0, 4, 2, 0], [0, 0, 0, 6]]
    counts = counts_of(history, 2, 2)
    assert counts[0, 0, 1].tolist() == [0, 2]
    assert counts[0, 1, 0].tolist() == [1, 0]
    assert counts[1].sum().item() == 1
    assert counts[1, 1, 1].tolist() == [0, 1]


def test_sums_agree_with_a_loop_over_several_blocks():
    states = 4
    actions = 3
    length = 2 * BLOCK + 7
    steps = invented(states, actions, length, 3, 0)
    history = after(steps, states, actions, capacity=length)
    wanted = torch.zeros(3, states, actions, states)
    for i in range(3):
        for before, step in itertools.pairwise(steps):
            wanted[i, before.observation[i], step.prev_action[i], step.final_observation[i]] += 1
    assert torch.equal(counts_of(history, states, actions), wanted)
    assert torch.equal(history.visits.view(3, states, actions), wanted.sum(-1))


def test_weights_are_asked_for_once_a_block_in_order():
    history = after(told(0, [(0, 0.0, 0, None)] * (BLOCK + 2)), 1, 1, capacity=BLOCK + 5)
    asked = []

    def weights(shape):
        asked.append(shape)
        return torch.full(shape, float(len(asked)))

    assert transition_sums(history, 1, 1, weights).flatten().tolist() == [BLOCK + 2 * 2]
    assert asked == [(1, BLOCK), (1, 5)]


def test_a_longer_meta_episode_than_there_is_room_for_gets_a_sentence():
    steps = told(0, [(0, 0.0, 0, None)] * 4)
    assert after(steps, 1, 1, capacity=4).length.tolist() == [4]
    with pytest.raises(ValueError, match="at most 3 steps; build it with the budget"):
        after(steps, 1, 1, capacity=3)
