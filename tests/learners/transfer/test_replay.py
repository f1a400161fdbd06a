"""ReplayBuffer.

N-step returns by hand and by brute force, stacks of frames, draws and weights by priority, and what
a checkpoint holds.
"""

import gymnasium as gym
import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from metarl.learners.transfer import replay as module
from metarl.learners.transfer.replay import ReplayBuffer, ReplayConfig

NUMBERS = gym.spaces.Box(-np.inf, np.inf, (1,))
DISCOUNT = 0.5


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def play(replay, rewards, ends=(), row=0, first=0):
    """Return one row.

    Steps with these rewards; observations count from `first`, actions are 0, 1, ...; `ends` maps a
    step to how it ends.
    """
    rows = np.array([row])
    ends = dict(ends)
    clock = first
    replay.start(rows, torch.tensor([[float(clock)]]))
    for t, reward in enumerate(rewards):
        clock += 1
        terminated = torch.tensor([ends.get(t) == "terminated"])
        replay.add(
            rows,
            torch.tensor([t]),
            torch.tensor([float(reward)]),
            terminated,
            torch.tensor([[float(clock)]]),
        )
        if t in ends and t + 1 < len(rewards):
            clock += 1
            replay.start(rows, torch.tensor([[float(clock)]]))
    return clock


def contents(replay, beta=0.0):
    """Step (its observation) -> (returns, discount, next observation), of all that can be drawn."""
    found = {}
    for seed in range(40):
        batch = replay.draw(64, beta, rng(seed))
        for i in range(64):
            found[int(batch.observation[i, 0])] = tuple(
                round(float(x), 6)
                for x in (batch.returns[i], batch.discount[i], batch.next_observation[i, 0])
            )
    assert len(found) == len(replay)
    return found


def test_n_step_returns_by_hand():
    replay = ReplayBuffer(ReplayConfig(capacity=100), NUMBERS, 1, 3, DISCOUNT)
    play(replay, [1, 2, 4, 8, 16, 32, 64, 128], {3: "terminated", 6: "truncated"})
    # places show 0 1 2 3 [4 last] 5 6 7 [8 last] 9 [10 newest]; the step of 9 waits for two more
    # rewards
    assert contents(replay) == {
        0: (1 + 2 / 2 + 4 / 4, 1 / 8, 3),
        1: (2 + 4 / 2 + 8 / 4, 0, 4),  # terminated: nothing follows
        2: (4 + 8 / 2, 0, 4),
        3: (8, 0, 4),
        5: (16 + 32 / 2 + 64 / 4, 1 / 8, 8),  # truncated: the last observation's value follows
        6: (32 + 64 / 2, 1 / 4, 8),
        7: (64, 1 / 2, 8),
    }


def test_a_step_can_be_drawn_once_its_rewards_are_known():
    for n_step in (1, 2, 4):
        replay = ReplayBuffer(ReplayConfig(capacity=100), NUMBERS, 1, n_step, DISCOUNT)
        play(replay, [1] * 6)
        assert len(replay) == 6 - (n_step - 1)


def test_an_episode_that_nobody_saw_the_end_of_counts_as_truncated_where_it_was_left():
    replay = ReplayBuffer(ReplayConfig(capacity=100), NUMBERS, 1, 3, DISCOUNT)
    last = play(replay, [1, 2, 4])
    replay.start(np.array([0]), torch.tensor([[99.0]]))
    assert contents(replay) == {0: (3, 1 / 8, last), 1: (4, 1 / 4, last), 2: (4, 1 / 2, last)}


@pytest.mark.parametrize("stack", [1, 3])
def test_rows_and_laps_against_brute_force(stack):
    """Rows with episodes of their own lengths, several times round the ring.

    Every draw is a step that was taken, with what followed.
    """
    shape = (2, 1, 2 * stack) if stack > 1 else (2, 1, 2)
    space = gym.spaces.Box(0, 255, shape, np.uint8)
    n_step = 3
    rows = 4
    replay = ReplayBuffer(ReplayConfig(capacity=4 * 40, stack=stack), space, rows, n_step, DISCOUNT)
    draws = np.random.default_rng(0)

    def frame(row, number):
        return torch.tensor([row, number % 250, number // 250, 7], dtype=torch.uint8).reshape(
            2, 1, 2
        )

    # episodes of [observation, action, reward, end]
    numbers = [0] * rows
    stacks = [None] * rows
    episodes = [[] for _ in range(rows)]

    def begin(row):
        stacks[row] = [frame(row, numbers[row])] * (stack - 1) + [frame(row, numbers[row])]
        numbers[row] += 1
        episodes[row].append([])

    def seen(row):
        return torch.cat(stacks[row][-stack:], -1)

    for row in range(rows):
        begin(row)
    replay.start(np.arange(rows), torch.stack([seen(row) for row in range(rows)]))
    wanted = {}
    steps_so_far = 0
    for t in range(300):
        before = [seen(row) for row in range(rows)]
        action = torch.from_numpy(draws.integers(5, size=rows))
        reward = torch.from_numpy(draws.normal(size=rows)).float()
        ends = draws.choice(["no", "terminated", "truncated"], size=rows, p=[0.8, 0.1, 0.1])
        for row in range(rows):
            stacks[row] = [*stacks[row], frame(row, numbers[row])][-stack:]
            numbers[row] += 1
            episodes[row][-1].append(
                (before[row], int(action[row]), float(reward[row]), ends[row], seen(row))
            )
        replay.add(
            np.arange(rows),
            action,
            reward,
            torch.from_numpy(ends == "terminated"),
            torch.stack([seen(row) for row in range(rows)]),
        )
        over = np.flatnonzero(ends != "no")
        for row in over:
            begin(row)
        if len(over):
            replay.start(over, torch.stack([seen(row) for row in over]))
        steps_so_far += rows
        if t % 50 != 49:
            continue
        for row in range(rows):
            for episode in episodes[row]:
                for i, (observation, chosen, *_) in enumerate(episode):
                    window = episode[i : i + n_step]
                    returns = sum(DISCOUNT**j * step[2] for j, step in enumerate(window))
                    ended = window[-1][3]
                    if len(window) == n_step or ended != "no":
                        discount = 0.0 if ended == "terminated" else DISCOUNT ** len(window)
                        wanted[observation.numpy().tobytes()] = (
                            chosen,
                            returns,
                            discount,
                            window[-1][4],
                        )
        batch = replay.draw(256, 0.0, rng(t))
        for i in range(256):
            chosen, returns, discount, following = wanted[batch.observation[i].numpy().tobytes()]
            assert int(batch.action[i]) == chosen
            assert float(batch.returns[i]) == pytest.approx(returns, abs=1e-5)
            assert float(batch.discount[i]) == discount
            assert torch.equal(batch.next_observation[i], following)
    assert 4 * 20 < len(replay) < 4 * 40 < steps_so_far


def test_stacks_take_the_memory_of_single_frames():
    space = gym.spaces.Box(0, 255, (84, 84, 4), np.uint8)
    whole, single = (
        ReplayBuffer(ReplayConfig(capacity=1000, stack=stack), space, 1, 3, 0.99).frames.numel()
        for stack in (1, 4)
    )
    assert whole == 4 * single == 4 * 1000 * 84 * 84


def test_frequencies_and_weights_follow_priorities():
    alpha = 0.6
    beta = 0.7
    offset = 0.05
    replay = ReplayBuffer(
        ReplayConfig(capacity=40, alpha=alpha, offset=offset), NUMBERS, 1, 1, DISCOUNT
    )
    play(replay, [0] * 10)
    losses = np.linspace(0.0, 3.0, 10)
    replay.rate(np.arange(10), losses)
    shares = (losses + offset) ** alpha / ((losses + offset) ** alpha).sum()
    drawn = np.concatenate(
        [replay.draw(20, beta, stream).place for stream in [rng(1)] for _ in range(1000)]
    )
    assert chisquare(np.bincount(drawn, minlength=10), shares * len(drawn)).pvalue > 1e-3
    batch = replay.draw(32, beta, rng(2))
    weights = (10 * shares[batch.place]) ** -beta
    assert np.allclose(batch.weight.numpy(), weights / weights.max(), rtol=1e-5)


def test_weights_make_means_over_draws_those_over_all_steps():
    replay = ReplayBuffer(ReplayConfig(capacity=40, alpha=1.0), NUMBERS, 1, 1, DISCOUNT)
    play(replay, range(10))
    replay.rate(np.arange(10), np.linspace(0.5, 3.0, 10))
    batch = replay.draw(20_000, 1.0, rng(1))
    assert float((batch.weight * batch.returns).sum() / batch.weight.sum()) == pytest.approx(
        4.5, abs=0.1
    )
    assert float(batch.returns.mean()) > 5.5


def test_new_steps_get_the_highest_priority_so_far():
    replay = ReplayBuffer(
        ReplayConfig(capacity=100, alpha=1.0, offset=1e-6), NUMBERS, 1, 1, DISCOUNT
    )
    play(replay, [0] * 3)
    replay.rate(np.array([1]), np.array([5.0]))
    replay.rate(np.array([1]), np.array([2.0]))
    play(replay, [0] * 2)
    assert replay.priorities[np.array([0, 1, 4])] == pytest.approx([1.0, 2.0, 5.0], rel=1e-5)


def test_without_priorities_all_steps_are_drawn_alike():
    replay = ReplayBuffer(ReplayConfig(capacity=100, prioritised=False), NUMBERS, 1, 1, DISCOUNT)
    play(replay, [0] * 8)
    replay.rate(np.array([1]), np.array([50.0]))
    batch = replay.draw(800, 0.4, rng(1))
    assert torch.all(batch.weight == 1)
    assert np.bincount(batch.place).tolist() == [100] * 8


def test_beta_rises_to_one():
    config = ReplayConfig(beta=0.4, beta_steps=1000)
    assert [config.beta_after(steps) for steps in (0, 500, 1000, 5000)] == pytest.approx(
        [0.4, 0.7, 1.0, 1.0]
    )
    assert ReplayConfig(beta=0.4, beta_steps=0).beta_after(10**9) == 0.4


@pytest.mark.parametrize("steps", [5, 70])
def test_a_checkpoint_holds_all_of_it(steps):
    def filled():
        return ReplayBuffer(ReplayConfig(capacity=40), NUMBERS, 1, 3, DISCOUNT)

    replay = filled()
    other = filled()
    play(replay, [1] * steps, {3: "terminated", 50: "truncated"})
    replay.rate(replay.draw(4, 0.4, rng()).place, np.arange(4.0))
    play(other, [5] * 7)
    other.load_state_dict(replay.state_dict())
    for made in (replay, other):
        play(made, [2] * 9, first=500)
    assert len(replay) == len(other)
    for one, same in zip(replay.draw(32, 0.4, rng(3)), other.draw(32, 0.4, rng(3)), strict=True):
        assert np.array_equal(one, same)


def test_a_large_one_is_left_out_and_begins_anew(monkeypatch):
    monkeypatch.setattr(module, "MOST_SAVED", 4 * 10)
    replay = ReplayBuffer(ReplayConfig(capacity=40), NUMBERS, 1, 1, DISCOUNT)
    play(replay, [0] * 9)
    assert replay.state_dict() is not None
    play(replay, [0] * 2)
    assert replay.state_dict() is None
    replay.load_state_dict(None)
    assert len(replay) == 0


def test_what_is_no_stack_is_noticed():
    space = gym.spaces.Box(0, 255, (2, 2, 4), np.uint8)
    replay = ReplayBuffer(ReplayConfig(capacity=40, stack=4), space, 1, 1, DISCOUNT)
    first = torch.arange(16, dtype=torch.uint8).reshape(1, 2, 2, 4)
    replay.start(np.array([0]), first)
    # Nobody asks what follows an end
    replay.add(np.array([0]), torch.tensor([0]), torch.zeros(1), torch.tensor([True]), first + 50)
    replay.start(np.array([0]), first)
    with pytest.raises(ValueError, match="set the replay's stack=1"):
        replay.add(
            np.array([0]), torch.tensor([0]), torch.zeros(1), torch.tensor([False]), first + 50
        )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"capacity": 40, "stack": 3}, "set stack=1"),
        ({"capacity": 40, "stack": 1}, "give 64 or more"),
    ],
)
def test_what_does_not_fit(config, message):
    with pytest.raises(ValueError, match=message):
        ReplayBuffer(
            ReplayConfig(**config), gym.spaces.Box(0, 255, (4, 4, 4), np.uint8), 8, 3, DISCOUNT
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"capacity": 0}, "at least 1"),
        ({"stack": 0}, "at least 1"),
        ({"alpha": 1.5}, "in \\[0, 1\\]"),
        ({"offset": 0.0}, "positive"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        ReplayConfig(**settings)
