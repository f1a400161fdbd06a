"""Moving bandits.

Moves, rewards and starts worked out by hand, and returns known of simple ways to play.
"""

import math

import pytest
import torch

from metarl.core.seeding import torch_generator
from metarl.tasks.control.moving_bandits import (
    MovingBandits,
    MovingBanditsTasks,
    Plane,
    move_towards,
    share_within_reach,
)

EPISODES = 20_000
RNG = torch_generator(0)


def episode(correct, goals):
    """Return a task, and an episode of it whose goals lie there."""
    state = Plane(torch.full((1, 2), 200.0), torch.tensor([goals], dtype=torch.float32))
    return MovingBanditsTasks(torch.tensor([correct])), state


def returns(choose):
    """Of many episodes in which `choose(observation, t, correct, rng)` acts."""
    distribution = MovingBandits()
    rng = torch_generator(1, "agent")
    tasks = distribution.sample(EPISODES, "test", 0)
    noise = torch_generator(2, "noise")
    state, observation = distribution.reset(tasks, noise)
    total = torch.zeros(EPISODES, dtype=torch.float64)
    for t in range(distribution.horizon):
        transition = distribution.step(
            tasks, state, choose(observation, t, tasks.correct, rng), noise
        )
        state = transition.state
        observation = transition.observation
        total = total + transition.reward
    return total


def middle(observation, t, correct, rng):
    """Go to the middle between the goals, and stop nearer than 50 to it."""
    place, one, other = observation.unflatten(1, (3, 2)).unbind(1)
    between = (one + other) / 2
    near = (400 * (between - place)).square().sum(1) < 2500
    return torch.where(
        near, 0, move_towards(torch.cat([place, between, between], 1), torch.zeros_like(correct))
    )


def nearer(observation, t, correct, rng):
    """Go to the goal that fewer moves lead to; on the way it stays the nearer one."""
    place, one, other = observation.unflatten(1, (3, 2)).unbind(1)
    return move_towards(observation, (place - other).abs().sum(1) < (place - one).abs().sum(1))


@pytest.mark.parametrize(
    ("known", "choose"),
    [
        (43.8, lambda observation, t, correct, rng: move_towards(observation, correct)),
        (
            23.1,
            lambda observation, t, correct, rng: move_towards(
                observation, torch.ones_like(correct)
            ),
        ),
        (24.0, nearer),
        (6.4, middle),
        (2.4, lambda observation, t, correct, rng: torch.randint(5, correct.shape, generator=rng)),
    ],
    ids=["correct goal", "one goal", "nearer goal", "middle", "random"],
)
def test_known_returns(known, choose):
    found = returns(choose)
    error = found.std() / math.sqrt(EPISODES)
    # Known to a tenth
    assert found.mean().item() == pytest.approx(known, abs=float(4 * error) + 0.05)


def test_rewards_tell_the_goal_within_the_first_episode():
    heading = None

    def search(observation, t, correct, rng):
        """To the nearer goal, and on to the other one where the first doesn't pay."""
        nonlocal heading
        place, *goals = observation.unflatten(1, (3, 2)).unbind(1)
        if t == 0:
            heading = ((place - goals[1]).abs().sum(1) < (place - goals[0]).abs().sum(1)).long()
            return move_towards(observation, heading)
        near = torch.stack(
            [(400 * (place - goal)).square().sum(1) < 2500 for goal in goals], 1
        )  # [n, 2]
        paid = near.gather(1, correct[:, None])[:, 0]  # as the last step's reward said
        heading = torch.where(near.gather(1, heading[:, None])[:, 0] & ~paid, 1 - heading, heading)
        return move_towards(observation, heading)

    found = returns(search)
    assert found.mean().item() == pytest.approx(
        41.1, abs=float(4 * found.std() / math.sqrt(EPISODES)) + 0.05
    )


def test_the_bound_is_the_shortest_way_which_nothing_beats():
    bound = MovingBandits().upper_bound(MovingBandits().sample(3, "test", 0), 2)
    assert bound.tolist() == [bound[0].item()] * 3
    ways = returns(lambda observation, t, correct, rng: move_towards(observation, correct))
    assert bound[0].item() / 2 == pytest.approx(
        ways.mean().item(), abs=float(4 * ways.std() / math.sqrt(EPISODES))
    )
    x = y = torch.arange(0.5, 200)
    right, up = torch.meshgrid(x, y, indexing="ij")
    fewest = torch.full_like(right, math.inf)
    for i in range(11):
        for j in range(11):
            within = (right - 20 * i) ** 2 + (up - 20 * j) ** 2 < 2500
            fewest = torch.where(within, fewest.clamp_max(i + j), fewest)
    # Goals one apart
    assert bound[0].item() / 2 == pytest.approx(51 - fewest.clamp_min(1).mean().item(), abs=5e-3)
    for moves in (0, 1, 4, 12, 20):
        assert share_within_reach(moves) == pytest.approx(
            (fewest <= moves).double().mean().item(), abs=2e-3
        )
    assert share_within_reach(0) == pytest.approx(math.pi * 2500 / 400**2, abs=1e-6)
    assert share_within_reach(17) == 1.0  # 20 times 10 and 10 come within 50 of every corner
    assert MovingBandits(horizon=1).upper_bound(
        MovingBanditsTasks(torch.tensor([1])), 1
    ).item() == pytest.approx(share_within_reach(1))


def test_moves_and_rewards():
    distribution = MovingBandits()
    task, state = episode(1, [[200.0, 200.0], [290.0, 240.0]])
    places = []
    rewards = []
    for action in (0, 1, 1, 3, 1, 4, 2, 0):
        transition = distribution.step(task, state, torch.tensor([action]), RNG)
        state = transition.state
        places.append(tuple(state.place[0].tolist()))
        rewards.append(transition.reward.item())
        assert transition.success.item() is (transition.reward.item() > 0)
        assert not transition.terminated.any()
    assert places == [
        (200, 200),
        (220, 200),
        (240, 200),
        (240, 220),
        (260, 220),
        (260, 200),
        (240, 200),
        (240, 200),
    ]
    assert rewards == [0, 0, 0, 0, 1, 0, 0, 0]  # (260, 220) is 36 away, (260, 200) exactly 50
    task, state = episode(0, [[249.9, 200.0], [0.0, 0.0]])
    assert distribution.step(task, state, torch.tensor([0]), RNG).reward.item() == 1
    task, state = episode(0, [[250.0, 200.0], [200.0, 200.0]])
    # On the wrong one, and just out of reach
    assert distribution.step(task, state, torch.tensor([0]), RNG).reward.item() == 0
    assert distribution.step(task, state, torch.tensor([1]), RNG).reward.item() == 1


def test_the_observation_is_place_and_goals_in_units_of_the_square():
    distribution = MovingBandits()
    task, state = episode(0, [[100.0, 40.0], [400.0, 0.0]])
    transition = distribution.step(task, state, torch.tensor([4]), RNG)
    assert transition.observation.dtype == torch.float32
    assert transition.observation[0].tolist() == pytest.approx([0.5, 0.45, 0.25, 0.1, 1.0, 0.0])


def test_every_episode_has_goals_of_its_own_and_a_task_only_says_which_pays():
    distribution = MovingBandits()
    rng = torch_generator(3)
    tasks = distribution.sample(10_000, "train", 0)
    assert tasks.correct.double().mean().item() == pytest.approx(0.5, abs=4 * 0.5 / 100)
    first, second = (distribution.reset(tasks, rng)[0] for _ in range(2))
    assert (first.place == 200).all()
    assert not (first.goals == second.goals).any(-1).any()
    assert 0 <= first.goals.min() < 0.1
    assert 399.9 < first.goals.max() <= 400
    middles = first.goals.mean(0).flatten().tolist()
    assert middles == pytest.approx([200.0] * 4, abs=4 * 400 / math.sqrt(12) / 100)


def test_the_nearest_move_is_taken():
    observation = torch.tensor(
        [
            [0.5, 0.5, *goal, 0.5, 0.5]
            for goal in ((0.9, 0.6), (0.1, 0.4), (0.45, 0.9), (0.6, 0.0), (0.52, 0.48))
        ]
    )
    assert move_towards(observation, torch.zeros(5, dtype=torch.int64)).tolist() == [1, 2, 3, 4, 0]
    assert move_towards(observation, torch.ones(5, dtype=torch.int64)).tolist() == [0] * 5


def test_the_correct_goal_is_drawn_in_green():
    distribution = MovingBandits()
    goals = [[100.0, 300.0], [300.0, 100.0]]
    pictures = [
        distribution.render(*episode(correct, goals))[0].numpy().astype(int) for correct in (0, 1)
    ]
    upper_left = (pictures[0].shape[0] * 7 // 24,) * 2
    lower_right = (pictures[0].shape[0] * 17 // 24,) * 2
    for picture, green, grey in (
        (pictures[0], upper_left, lower_right),
        (pictures[1], lower_right, upper_left),
    ):
        red_of, green_of, _ = picture[green]
        assert green_of > red_of + 50
        assert len(set(picture[grey])) == 1


def test_a_path_is_drawn_where_it_was_walked():
    distribution = MovingBandits()
    task, state = episode(0, [[380.0, 390.0], [380.0, 20.0]])
    states = [state]
    for _ in range(8):
        # To the left
        states.append(distribution.step(task, states[-1], torch.tensor([2]), RNG).state)
    along = Plane(*(torch.cat(parts) for parts in zip(*states, strict=True)))
    start, end = (
        distribution.render_path(task, along, moment).numpy().astype(int) for moment in (0, 8)
    )
    rows, columns = ((start - end) != 0).any(-1).nonzero()
    side = len(start)
    assert abs(rows.mean() - side / 2) < 3
    assert columns.max() < side / 2 + 8
    assert columns.min() < side / 4


def test_bad_arguments_get_a_sentence():
    with pytest.raises(ValueError, match="horizon must be at least 1"):
        MovingBandits(horizon=0)
