"""Rainbow's parts against their definitions.

Projection, targets, losses, what is noted, what is due when, and what a checkpoint holds.
"""

import math
from dataclasses import replace

import pytest
import torch

import metarl
from metarl.core.step import Outcome, Step
from metarl.learners.transfer import replay as replay_module
from metarl.learners.transfer.rainbow import SONIC, RainbowConfig, losses, next_outputs, project
from metarl.learners.transfer.replay import ReplayBatch, ReplayConfig
from metarl.networks.rainbow_network import RainbowNetwork
from tests.learners.small_rainbow import NETWORK, SMALL, SWITCHES, drive, rainbow

CART_POLE = metarl.make("CartPole-v0", low=1.0, high=1.0, reversals=False)
SUPPORT = torch.linspace(-2, 2, 5)  # -2, -1, 0, 1, 2


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def algorithm_1(probabilities, reward, discount, support):
    """Return the categorical projection, literally as in Bellemare et al.

    2017; where an atom is hit, all mass goes there.
    """
    size = len(support)
    low, high = (float(support[0]), float(support[-1]))
    spacing = (high - low) / (size - 1)
    mass = [0.0] * size
    for j in range(size):
        moved = min(high, max(low, reward + discount * float(support[j])))
        place = (moved - low) / spacing
        lower = math.floor(place + 1e-12)
        upper = math.ceil(place - 1e-12)
        if lower == upper:
            mass[lower] += float(probabilities[j])
        else:
            mass[lower] += float(probabilities[j]) * (upper - place)
            mass[upper] += float(probabilities[j]) * (place - lower)
    return torch.tensor(mass, dtype=probabilities.dtype)


def projected(probabilities, returns, discount):
    return project(
        torch.tensor([probabilities]), torch.tensor([returns]), torch.tensor([discount]), SUPPORT
    )[0]


@pytest.mark.parametrize(
    ("returns", "discount", "wanted"),
    [
        (0.0, 1.0, [0.1, 0.2, 0.3, 0.3, 0.1]),  # as it was
        (1.0, 1.0, [0.0, 0.1, 0.2, 0.3, 0.4]),  # a place further; beyond the end is the end
        (0.5, 1.0, [0.05, 0.15, 0.25, 0.3, 0.25]),  # half a place
        (0.0, 0.5, [0.0, 0.1 + 0.1, 0.1 + 0.3 + 0.15, 0.15 + 0.1, 0.0]),  # towards 0
        (1.25, 0.0, [0.0, 0.0, 0.0, 0.75, 0.25]),  # a certain return
        (9.0, 0.0, [0.0, 0.0, 0.0, 0.0, 1.0]),
        (-9.0, 1.0, [1.0, 0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_projection_by_hand(returns, discount, wanted):
    assert projected([0.1, 0.2, 0.3, 0.3, 0.1], returns, discount).tolist() == pytest.approx(
        wanted, abs=1e-6
    )


def test_projection_is_that_of_the_papers_algorithm():
    support = torch.linspace(-10, 10, 51, dtype=torch.float64)
    draws = 200
    probabilities = torch.rand(draws, 51, generator=rng(), dtype=torch.float64).softmax(1)
    returns = 8 * torch.randn(draws, generator=rng(1), dtype=torch.float64)
    returns[::5] = returns[::5].round()
    discount = torch.rand(draws, generator=rng(2), dtype=torch.float64)
    discount[::3] = 0.0
    discount[1::3] = 1.0
    found = project(probabilities, returns, discount, support)
    for i in range(draws):
        assert torch.allclose(
            found[i],
            algorithm_1(probabilities[i], float(returns[i]), float(discount[i]), support),
            atol=1e-10,
        )


def test_projection_keeps_mass_and_inside_the_support_the_mean():
    probabilities = torch.rand(300, 5, generator=rng(), dtype=torch.float64).softmax(1)
    support = SUPPORT.double()
    returns, discount = (
        torch.rand(300, generator=rng(seed), dtype=torch.float64) for seed in (1, 2)
    )
    inside = returns * (1 - discount)  # the largest moved atom is below 2
    found = project(probabilities, inside, discount, support)
    assert torch.allclose(found.sum(1), torch.ones(300, dtype=torch.float64))
    assert torch.allclose(found @ support, inside + discount * (probabilities @ support))
    beyond = project(probabilities, 50 * returns, discount, support)
    assert torch.allclose(beyond.sum(1), torch.ones(300, dtype=torch.float64))
    assert torch.all(beyond @ support <= 2 + 1e-9)


class Table:
    """A network that gives the same outputs [n, A, 1] whatever it is shown."""

    def __init__(self, *values):
        self.outputs = torch.tensor(values)[..., None]

    def __call__(self, observation, noise):
        return self.outputs

    def values(self, outputs):
        return outputs[..., 0]


def some_batch(n=2, **changed):
    ones = torch.ones(n)
    return ReplayBatch(
        torch.zeros(n, 4),
        torch.zeros(n, dtype=torch.int64),
        ones,
        ones,
        torch.zeros(n, 4),
        ones,
        None,
    )._replace(**changed)


def test_double_lets_the_online_network_choose_and_the_target_network_value():
    online = Table([1.0, 5.0, 2.0], [9.0, 0.0, 0.0])
    target = Table([7.0, 3.0, 4.0], [1.0, 2.0, 8.0])
    assert next_outputs(online, target, some_batch(), True, iter([None] * 2)).tolist() == [
        [3.0],
        [1.0],
    ]
    assert next_outputs(online, target, some_batch(), False, iter([None] * 2)).tolist() == [
        [7.0],
        [8.0],
    ]


def network(**changed):
    return RainbowNetwork(
        CART_POLE.observation_space, CART_POLE.action_space, replace(NETWORK, **changed), rng()
    )


def test_the_loss_of_means_is_hubers():
    made = network(distributional=False, noisy=False)
    batch = some_batch(
        action=torch.tensor([0, 1]),
        returns=torch.tensor([10.0, 0.3]),
        discount=torch.tensor([0.5, 0.0]),
    )
    values = made(batch.observation)[..., 0][torch.arange(2), batch.action].tolist()
    loss, surprise, value = losses(made, batch, torch.tensor([[4.0], [100.0]]), None)
    errors = [abs(12.0 - values[0]), abs(0.3 - values[1])]
    assert surprise.tolist() == pytest.approx(errors)
    assert loss.tolist() == pytest.approx([errors[0] - 0.5, errors[1] ** 2 / 2])
    assert value.tolist() == pytest.approx(values)


def test_the_loss_of_distributions_is_the_cross_entropy_and_their_surprise_the_divergence():
    made = network(noisy=False)
    following = torch.randn(2, 11, generator=rng(1))
    batch = some_batch(action=torch.tensor([0, 1]), discount=torch.tensor([0.9, 0.0]))
    with torch.no_grad():
        loss, surprise, value = losses(made, batch, following, None)
    for i in range(2):
        wanted = algorithm_1(following[i].softmax(0), 1.0, float(batch.discount[i]), made.support)
        q = made(batch.observation).detach()[i, batch.action[i]].softmax(0)
        assert float(loss[i]) == pytest.approx(float(-(wanted * q.log()).sum()), rel=1e-4)
        divergence = sum(float(p * (p / r).log()) for p, r in zip(wanted, q, strict=True) if p > 0)
        assert float(surprise[i]) == pytest.approx(divergence, rel=1e-3)
        assert float(value[i]) == pytest.approx(float(q @ made.support), rel=1e-4)
    own = made(batch.observation)[torch.arange(2), batch.action].detach()
    same = losses(made, batch._replace(returns=torch.zeros(2), discount=torch.ones(2)), own, None)
    assert torch.all(same[1] < 1e-5)  # nothing surprises where all is as predicted
    same[0].sum().backward()
    assert all(
        parameter.grad.abs().max() < 1e-4
        for parameter in made.parameters()
        if parameter.grad is not None
    )


def test_updates_and_copies_to_the_target_come_on_time():
    learner = rainbow(CART_POLE, rows=2)
    counts = []
    copied = []

    def watch():
        counts.append(learner.updates)
        pairs = zip(learner.network.parameters(), learner.target.parameters(), strict=True)
        copied.append(all(torch.equal(one, other) for one, other in pairs))

    drive(learner, CART_POLE, 40, watch=watch)
    first = next(t for t, count in enumerate(counts) if count)
    assert 2 * (first + 1) >= SMALL.start
    assert counts[first:] == list(range(1, 41 - first))  # two rows a step, one update for two steps
    assert [t for t in range(first, 40) if copied[t]] == [
        t for t in range(first, 40) if 2 * (t + 1) % SMALL.target_every == 0
    ]


def test_several_updates_are_made_where_many_rows_play():
    learner = drive(rainbow(CART_POLE, replace(SMALL, update_every=3), rows=7), CART_POLE, 30)
    assert learner.steps == 210
    late = [t for t in range(30) if 7 * (t + 1) - 2 * 7 >= SMALL.start]  # n-step returns lag behind
    assert abs(learner.updates - 7 * len(late) / 3) <= 7
    assert learner.unpaid < 3


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_part_can_be_switched_off(switch):
    whole, part = (
        drive(rainbow(CART_POLE, config), CART_POLE, 60) for config in (SMALL, SWITCHES[switch])
    )
    assert part.updates > 10
    assert all(math.isfinite(value) for value in part.metrics().values())
    assert any(
        one.shape != other.shape or not torch.equal(one, other)
        for one, other in zip(whole.network.parameters(), part.network.parameters(), strict=False)
    )


def test_epsilon_falls_and_is_the_share_of_random_actions():
    config = replace(
        SWITCHES["noisy"],
        start=1000,
        replay=ReplayConfig(capacity=20_000),
        epsilon=0.8,
        epsilon_end=0.2,
    )
    learner = rainbow(CART_POLE, config, rows=1)
    learner.steps = 50
    assert learner.epsilon == pytest.approx(0.5)
    observation = torch.randn(1, 4, generator=rng()).expand(20_000, 4)
    best = learner._best(observation[:1], None)
    others = float((learner._explore(observation, learner.epsilon, rng(1)) != best).float().mean())
    assert others == pytest.approx(0.5 / 2, abs=0.02)
    learner.steps = 10**6
    assert learner.epsilon == pytest.approx(0.2)
    assert rainbow(CART_POLE).epsilon == 0.0


def seen(value, reward=0.0, terminated=False, truncated=False, start=False, final=None):
    """Return a Step of one row."""
    observation = torch.full((1, 4), float(value))
    flags = [torch.tensor([flag]) for flag in (terminated, truncated)]
    final = observation if final is None else torch.full((1, 4), float(final))
    return Step(
        observation,
        torch.zeros(1, dtype=torch.int64),
        torch.tensor([reward]),
        *flags,
        final,
        torch.tensor([start]),
    )


def noted(learner):
    """Steps in the replay: (observation, returns, discount, next observation)."""
    found = set()
    for seed in range(20):
        batch = learner.replay.draw(16, 0.0, rng(seed))
        rows = zip(
            batch.observation[:, 0],
            batch.returns,
            batch.discount,
            batch.next_observation[:, 0],
            strict=True,
        )
        found |= {tuple(round(float(x), 4) for x in row) for row in rows}
    return found


ONE_STEP = replace(SMALL, n_step=1, discount=0.5, reward_clip=0.0, start=200)


def test_rewards_and_ends_are_noted_from_the_step():
    learner = rainbow(CART_POLE, replace(ONE_STEP, reward_scale=0.1))
    learner.learn(seen(0, start=True))  # nothing was done yet
    for step in (
        seen(0, start=True),
        seen(1, reward=10),
        seen(5, reward=20, terminated=True, final=2),
        seen(7, reward=30, truncated=True, final=6),
        seen(9, reward=5, start=True),  # another task; what the last step brought isn't shown
        seen(10, reward=40),
    ):
        learner.learn(step)
        learner.choose(step)
    assert noted(learner) == {(0, 1, 0.5, 1), (1, 2, 0, 2), (5, 3, 0.5, 6), (9, 4, 0.5, 10)}
    assert learner.steps == 4


def test_an_outcome_tells_the_end_of_the_task_before():
    learner = rainbow(CART_POLE, ONE_STEP)
    ends = Outcome(
        torch.tensor([3.0]),
        torch.tensor([True]),
        torch.tensor([False]),
        torch.full((1, 4), 4.0),
        *(torch.tensor([flag]) for flag in (False, 0, 0, True, True)),
        torch.tensor([3.0]),
    )
    learner.choose(seen(1, start=True))
    learner.learn(seen(8, start=True), ends)
    learner.choose(seen(8, start=True))
    # A row that is over brings nothing
    learner.learn(seen(8), ends._replace(valid=torch.tensor([False])))
    assert noted(learner) == {(1, 3, 0, 4)}


def test_rewards_are_clipped_after_scaling():
    learner = rainbow(CART_POLE, replace(ONE_STEP, reward_scale=0.5, reward_clip=2.0))
    for value, reward in enumerate([0.0, 3.0, 9.0, -9.0]):
        learner.learn(seen(value, reward=reward, start=value == 0))
        learner.choose(seen(value, start=value == 0))
    assert {row[1] for row in noted(learner)} == {1.5, 2.0, -2.0}


def test_going_back_costs_nothing_where_only_new_progress_counts():
    learner = rainbow(CART_POLE, replace(ONE_STEP, new_progress_only=True))
    for value, reward in enumerate([0.0, 3.0, -2.0, 1.0, 4.0]):
        learner.learn(seen(value, reward=reward, start=value == 0))
        learner.choose(seen(value, start=value == 0))
    assert sorted(row[1] for row in noted(learner)) == [0.0, 0.0, 3.0, 3.0]


def test_playing_notes_nothing_and_repeats():
    learner = drive(rainbow(CART_POLE), CART_POLE, 50)
    before = learner.state_dict()["streams"]
    step = seen(0.3)
    wide = Step(*(part.expand(64, *part.shape[1:]) for part in step))
    assert torch.equal(learner.play(wide, rng(1)), learner.play(wide, rng(1)))
    assert all(
        torch.equal(before[name], stream)
        for name, stream in learner.state_dict()["streams"].items()
    )
    learner.config = replace(SMALL, act="mode")
    assert len(set(learner.play(wide, rng(2)).tolist())) == 1


@pytest.mark.parametrize("switch", ["none", *SWITCHES])
def test_it_resumes_where_it_stood(switch):
    config = SWITCHES.get(switch, SMALL)
    learner = drive(rainbow(CART_POLE, config, rows=2), CART_POLE, 40)
    state = learner.state_dict()
    resumed = drive(rainbow(CART_POLE, config, rows=2, seed=1), CART_POLE, 15)
    resumed.load_state_dict(state)
    wanted, found = (drive(each, CART_POLE, 30, seed=5) for each in (learner, resumed))
    assert wanted.metrics() == found.metrics()
    assert all(
        torch.equal(one, found.weights()["network"][name])
        for name, one in wanted.weights()["network"].items()
    )


def test_without_its_replay_it_waits_until_there_is_one_again(monkeypatch):
    monkeypatch.setattr(replay_module, "MOST_SAVED", 0)
    learner = drive(rainbow(CART_POLE), CART_POLE, 60)
    resumed = rainbow(CART_POLE)
    resumed.load_state_dict(learner.state_dict())
    assert (resumed.steps, resumed.updates) == (learner.steps, learner.updates)
    drive(resumed, CART_POLE, SMALL.start - 1)
    assert resumed.updates == learner.updates
    drive(resumed, CART_POLE, 20)
    assert resumed.updates > learner.updates


def test_weights_start_another_with_the_same_network_also_as_target():
    learner = drive(rainbow(CART_POLE), CART_POLE, 50)
    other = rainbow(CART_POLE, seed=1)
    other.load_weights(learner.weights())
    for mine, theirs, target in zip(
        *(each.parameters() for each in (learner.network, other.network, other.target)), strict=True
    ):
        assert torch.equal(mine, theirs)
        assert torch.equal(mine, target)
    # So that they aren't learned anew
    assert float(other.network.inputs.observation_moments.count) > 0


def test_sonics_settings():
    assert (SONIC.n_step, SONIC.network.atoms, SONIC.network.v_min, SONIC.network.v_max) == (
        3,
        51,
        -200,
        200,
    )
    assert (SONIC.replay.capacity, SONIC.replay.alpha, SONIC.replay.beta, SONIC.replay.offset) == (
        500_000,
        0.5,
        0.4,
        0.1,
    )
    assert (SONIC.lr, SONIC.adam_epsilon, SONIC.target_every, SONIC.start, SONIC.batch) == (
        1e-4,
        1.5e-4,
        8192,
        20_000,
        32,
    )
    assert (SONIC.update_every, SONIC.discount, SONIC.network.sigma) == (1, 0.99, 0.5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 0}, "batch must be at least 1"),
        ({"n_step": 0}, "n_step must be at least 1"),
        ({"discount": 1.1}, "discount must lie"),
        ({"epsilon": 0.1, "epsilon_end": 0.2}, "epsilon_end <= epsilon"),
        ({"lr": 0.0}, "must be positive"),
        ({"act": "greedy"}, "act must be"),
        ({"replay": ReplayConfig(capacity=1000)}, "a replay of 40000 or more"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        RainbowConfig(**settings)
