"""What an agent notes of its episodes: choices that hold several steps, sums of rewards, ends."""

import gymnasium as gym
import torch

from metarl.core.step import Step
from metarl.learners.policy_gradient.trajectory_buffer import (
    empty_episodes,
    note_choice,
    note_outcome,
    time_first,
)


def after(reward, terminated=(False, False), truncated=(False, False), final=(0.0, 0.0)):
    """Return what two rows see next."""
    row = torch.zeros(2)
    shown = torch.tensor(final)[:, None]
    return Step(
        shown,
        row,
        torch.tensor(reward),
        torch.tensor(terminated),
        torch.tensor(truncated),
        shown,
        row.bool(),
    )


def test_rewards_add_up_until_the_next_choice_and_ends_are_noted():
    room = empty_episodes(
        2, times=2, episodes=3, features=1, space=gym.spaces.Discrete(4), device=torch.device("cpu")
    )
    zero = torch.zeros(2, dtype=torch.int64)
    both = torch.tensor([True, True])
    one = torch.tensor([True, False])
    episode = torch.tensor([0, 2])
    note_choice(
        room,
        zero,
        episode,
        torch.tensor([[0.5], [0.7]]),
        torch.tensor([3, 1]),
        torch.tensor([-1.0, -2.0]),
        both,
    )
    assert not note_outcome(room, after([1.0, 10.0]), zero, episode, both, lambda seen: seen).any()
    # The second row hasn't acted
    assert not note_outcome(room, after([2.0, 20.0]), zero, episode, one, lambda seen: seen).any()
    note_choice(
        room,
        zero + 1,
        episode,
        torch.tensor([[0.6], [9.0]]),
        torch.tensor([2, 0]),
        torch.tensor([-3.0, -9.0]),
        one,
    )
    over = note_outcome(
        room,
        after([4.0, 30.0], (True, False), (False, True), (0.1, 0.2)),
        zero + 1,
        episode,
        one,
        lambda seen: 10 * seen,
    )
    assert over.tolist() == [True, False]
    room = time_first(room)
    assert room.reward[:, 0, 0].tolist() == [3.0, 4.0]
    assert room.reward[:, 1, 2].tolist() == [10.0, 0.0]
    assert room.valid[:, 0, 0].tolist() == [True, True]
    assert room.valid[:, 1, 2].tolist() == [True, False]
    assert room.valid.sum() == 3
    assert room.action[:, 0, 0].tolist() == [3, 2]
    # The second choice of the first row's first episode
    assert room.terminated.nonzero().tolist() == [[1, 0, 0]]
    assert room.final_observation[0, 0].tolist() == [1.0]


def test_a_place_that_is_used_again_begins_at_zero():
    room = empty_episodes(
        1, times=1, episodes=1, features=1, space=gym.spaces.Discrete(2), device=torch.device("cpu")
    )
    zero = torch.zeros(1, dtype=torch.int64)
    yes = torch.ones(1, dtype=torch.bool)
    step = Step(*(part[:1] for part in after([5.0, 0.0])))
    for _ in range(2):
        note_choice(room, zero, zero, torch.zeros(1, 1), zero, torch.zeros(1), yes)
        note_outcome(room, step, zero, zero, yes, lambda seen: seen)
    assert float(room.reward) == 5.0


def test_some_rows_episodes_have_time_first():
    room = empty_episodes(
        3,
        times=4,
        episodes=2,
        features=5,
        space=gym.spaces.Box(-1, 1, (2,)),
        device=torch.device("cpu"),
    )
    assert room.observation.shape == (3, 4, 2, 5)
    episodes = time_first(room).columns(torch.tensor([2, 0]))
    assert episodes.observation.shape == (4, 2, 2, 5)
    assert episodes.action.shape == (4, 2, 2, 2)
    assert episodes.final_observation.shape == (2, 2, 5)


def test_a_choice_that_ended_an_episode_before_does_not_end_the_next():
    room = empty_episodes(
        1, times=1, episodes=1, features=1, space=gym.spaces.Discrete(2), device=torch.device("cpu")
    )
    zero = torch.zeros(1, dtype=torch.int64)
    yes = torch.ones(1, dtype=torch.bool)
    ended = Step(*(part[:1] for part in after([5.0, 0.0], (True, False))))
    note_choice(room, zero, zero, torch.zeros(1, 1), zero, torch.zeros(1), yes)
    note_outcome(room, ended, zero, zero, yes, lambda seen: seen)
    assert room.terminated.all()
    note_choice(room, zero, zero, torch.zeros(1, 1), zero, torch.zeros(1), yes)
    assert not room.terminated.any()
