"""Meta-episodes.

The boundary between episodes, clocks, refilling, and rows that don't depend on each other.
"""

import gymnasium as gym
import pytest
import torch
from torch import Tensor

import metarl
from metarl.core.budget import Episodes, Steps
from metarl.core.errors import PlugInError
from metarl.core.spaces import action_dtype, observation_dtype
from metarl.core.task_distribution import TaskDistribution, Transition, fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from tests.envs.marks import HORIZON, TASKS, AdaptedMarks, Marks, MarksEnv, source_of

KINDS = {"tensors": Marks, "gymnasium": AdaptedMarks}


@pytest.fixture(params=KINDS)
def marks(request):
    return KINDS[request.param]()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def actions_of(rows: int, t: int) -> Tensor:
    """Row i's action at step t: 1 or 2, never the zero that a start shows."""
    return torch.tensor([1 + (i + t) % 2 for i in range(rows)])


def play(env: MetaEpisodeEnv, source, steps: int) -> list[tuple]:
    """[(Step, Outcome of the action before)], the first with None."""
    seen = [(env.reset(source), None)]
    for t in range(steps):
        seen.append(env.step(actions_of(env.num_envs, t)))
    return seen


def row_of(record, i: int) -> list:
    return [value[i].tolist() for value in record]


def by_hand(tasks: list[int], row: int, budget, steps: int):
    """What one row must see, from the definition of a meta-episode, written as plain loops.

    Yields (Step fields, Outcome fields without valid and exact_reward) as lists in field order, the
    first with None for the outcome.
    """
    j = 0
    length, mark = TASKS[tasks[0]]
    episode = episode_step = meta_step = 0
    yield [[mark, 0], 0, 0.0, False, False, [mark, 0], True], None
    for t in range(steps):
        action = 1 + (row + t) % 2
        episode_step = episode_step + 1
        meta_step = meta_step + 1
        reward = torch.tensor(mark + episode_step + action / 10).item()
        shown = [mark, episode_step]
        terminated = episode_step == length
        out_of_steps = isinstance(budget, Steps) and meta_step == budget.total
        truncated = not terminated and (episode_step == HORIZON or out_of_steps)
        ended = terminated or truncated
        over = out_of_steps or (
            isinstance(budget, Episodes) and ended and episode + 1 == budget.total
        )
        outcome = [reward, terminated, truncated, shown, terminated, j, episode, over]
        if over:
            j = j + 1
            episode = 0
            episode_step = 0
            meta_step = 0
            length, mark = TASKS[tasks[j]]
            yield [[mark, 0], 0, 0.0, False, False, [mark, 0], True], outcome
            continue
        if ended:
            episode = episode + 1
            episode_step = 0
        yield (
            [
                [mark, 0] if ended else shown,
                action,
                reward,
                terminated,
                truncated,
                shown,
                False,
            ],
            outcome,
        )


@pytest.mark.parametrize(
    "budget",
    [
        Episodes(2, 0),
        Episodes(1, 1),
        Episodes(1, 0),
        Episodes(3, 2),
        Steps(1),
        Steps(3),
        Steps(4),
        Steps(7),
    ],
)
def test_every_row_sees_what_a_meta_episode_is(marks, budget):
    tasks = [[(i + 2 * j) % len(TASKS) for j in range(41)] for i in range(6)]
    env = MetaEpisodeEnv(marks, budget, 6, generator())
    seen = play(env, source_of(marks, tasks), 40)
    for i in range(6):
        for t, (step, outcome) in enumerate(by_hand(tasks[i], i, budget, 40)):
            assert row_of(seen[t][0], i) == step, f"row {i}, step {t}"
            if outcome is not None:
                assert row_of(seen[t][1], i)[:-2] == outcome, f"row {i}, step {t}"
                assert bool(seen[t][1].valid[i])


def test_two_episodes_of_two_steps_written_out(marks):
    env = MetaEpisodeEnv(marks, Episodes(2, 0), 1, generator())
    seen = play(env, source_of(marks, [[1, 5]]), 5)
    observation = [record[0].observation[0].tolist() for record in seen]
    assert observation == [[20, 0], [20, 1], [20, 0], [20, 1], [60, 0], [60, 1]]
    final = [record[0].final_observation[0].tolist() for record in seen]
    assert final == [[20, 0], [20, 1], [20, 2], [20, 1], [60, 0], [60, 1]]
    reward = [record[0].prev_reward[0].item() for record in seen]
    assert reward == pytest.approx([0, 21.1, 22.2, 21.1, 0, 61.1])
    assert [record[0].episode_start[0].item() for record in seen] == [
        True,
        False,
        True,
        False,
        True,
        False,
    ]
    assert [record[0].meta_episode_start[0].item() for record in seen] == [
        True,
        False,
        False,
        False,
        True,
        False,
    ]
    assert [record[1].reward[0].item() for record in seen[1:]] == pytest.approx(
        [21.1, 22.2, 21.1, 22.2, 61.1]
    )
    assert [record[1].final_observation[0].tolist() for record in seen[1:]] == [
        [20, 1],
        [20, 2],
        [20, 1],
        [20, 2],
        [60, 1],
    ]


def test_termination_at_the_horizon_is_no_truncation(marks):
    env = MetaEpisodeEnv(marks, Episodes(1, 0), 2, generator())
    seen = play(env, source_of(marks, [[3] * 9, [4] * 9]), 4)  # lengths 4 = horizon, and 5
    assert seen[4][1].terminated.tolist() == [True, False]
    assert seen[4][1].truncated.tolist() == [False, True]


def test_terminated_and_truncated_are_never_both_true():
    for budget in (Episodes(2, 0), Steps(5)):
        env = MetaEpisodeEnv(Marks(), budget, 6, generator())
        for _, outcome in play(env, fresh_tasks(Marks(), "train", 6, 0), 60)[1:]:
            assert not bool((outcome.terminated & outcome.truncated).any())


def test_a_step_budget_cuts_and_truncates(marks):
    env = MetaEpisodeEnv(marks, Steps(3), 3, generator(), refill=False)
    seen = play(env, source_of(marks, [[1], [2], [5]]), 3)  # lengths 2, 3, 9
    last = seen[3][1]
    assert last.meta_episode_end.tolist() == [True, True, True]
    # The second ends by itself at that very step
    assert last.terminated.tolist() == [False, True, False]
    assert last.truncated.tolist() == [True, False, True]
    assert last.episode.tolist() == [1, 0, 0]
    assert not bool(seen[2][1].meta_episode_end.any())


def test_an_environments_own_limit_truncates():
    limited = AdaptedMarks(limit=2)
    env = MetaEpisodeEnv(limited, Episodes(2, 0), 2, generator())
    # The first terminates at that very step
    seen = play(env, source_of(limited, [[1] * 9, [5] * 9]), 2)
    assert seen[2][1].terminated.tolist() == [True, False]
    assert seen[2][1].truncated.tolist() == [False, True]
    assert seen[2][0].observation.tolist() == [[20, 0], [60, 0]]
    assert seen[2][0].prev_reward.tolist() == pytest.approx([22.2, 62.1])


def test_without_refill_rows_stop_being_valid_after_their_only_meta_episode(marks):
    env = MetaEpisodeEnv(marks, Episodes(2, 0), 3, generator(), refill=False)
    seen = play(env, source_of(marks, [[0], [2], [5]]), env.max_steps)  # 2, 6 and 8 steps
    assert env.max_steps == 8
    valid = torch.stack([outcome.valid for _, outcome in seen[1:]])
    assert valid.sum(0).tolist() == [2, 6, 8]
    ends = torch.stack([outcome.meta_episode_end for _, outcome in seen[1:]])
    assert torch.nonzero(ends).tolist() == [[1, 0], [5, 1], [7, 2]]
    for _, outcome in seen[1:]:
        over = ~outcome.valid
        for value in (
            outcome.reward,
            outcome.terminated,
            outcome.truncated,
            outcome.success,
            outcome.meta_episode_end,
        ):
            assert not bool(value[over].any())
    assert not any(bool(step.meta_episode_start.any()) for step, _ in seen[1:])


def test_refilled_rows_take_their_next_task_at_once(marks):
    asked = []
    source = source_of(marks, [[0] * 20, [5] * 20])

    def watched(rows, counts):
        asked.extend(zip(rows.tolist(), counts.tolist(), strict=True))
        return source(rows, counts)

    env = MetaEpisodeEnv(marks, Episodes(2, 0), 2, generator())
    seen = play(env, watched, 9)  # row 0 takes 2 steps a meta-episode, row 1 takes 8
    assert asked == [(0, 0), (1, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 1)]
    assert [outcome.task.tolist() for _, outcome in seen[1:]] == [
        [t // 2, t // 8] for t in range(9)
    ]
    assert all(bool(outcome.valid.all()) for _, outcome in seen[1:])


def test_finished_gymnasium_rows_are_left_alone():
    MarksEnv.calls.clear()
    distribution = AdaptedMarks()
    env = MetaEpisodeEnv(distribution, Episodes(2, 0), 2, generator(), refill=False)
    play(env, source_of(distribution, [[0], [5]]), env.max_steps)
    assert MarksEnv.calls.count(("step", 10.0)) == 2
    assert MarksEnv.calls.count(("reset", 10.0)) == 2
    assert MarksEnv.calls.count(("step", 60.0)) == 8
    play(env, source_of(distribution, [[0], [5]]), env.max_steps)  # and play again after reset
    assert MarksEnv.calls.count(("step", 10.0)) == 4


@pytest.mark.parametrize("budget", [Episodes(3, 0), Steps(5)])
@pytest.mark.parametrize("refill", [True, False])
def test_tensor_gymnasium_and_worker_families_give_equal_streams(budget, refill):
    streams = []
    for distribution, looks in (
        (Marks(), True),
        (Marks(), False),
        (AdaptedMarks(), True),
        (AdaptedMarks(workers=1), True),
    ):
        env = MetaEpisodeEnv(distribution, budget, 5, generator(), refill=refill)
        # Whether an episode has ended: without a look, as on a GPU, all steps go the long way
        env._checks_now = looks
        streams.append(play(env, fresh_tasks(distribution, "train", 5, 1), min(30, env.max_steps)))
        env.close()
    for t, (step, outcome) in enumerate(streams[0]):
        for other in (stream[t] for stream in streams[1:]):
            pairs = [*zip(step, other[0], strict=True)]
            if outcome is not None:
                pairs += zip(outcome[:-1], other[1][:-1], strict=True)
                # These are computed in float64
                pairs.append((outcome.exact_reward, other[1].exact_reward.to(torch.float32)))
            # What a finished row shows means nothing
            keep = slice(None) if outcome is None else outcome.valid
            for one, two in pairs:
                assert one.dtype == two.dtype
                assert torch.equal(one[keep], two[keep])


class Lengths(TaskDistribution):
    """Noise in everything; an action of 2 ends the episode, so that actions move a row's clock."""

    id = "Lengths-v0"
    horizon = 5

    def __init__(self):
        self.observation_space = Marks.observation_space
        self.action_space = Marks.action_space

    def sample(self, n, split, seed):
        return metarl.make("BernoulliBandit-v0", arms=2).sample(n, split, seed)

    def reset(self, tasks, rng):
        state = torch.randn(len(tasks), 2, generator=rng)
        return state, state

    def step(self, tasks, state, action, rng):
        state = state + torch.randn(len(tasks), 2, generator=rng) + tasks.means
        return Transition(state, state, state.sum(1), action == 2, state[:, 0] > 0)


def noisy(id: str) -> TaskDistribution:
    return Lengths() if id == "Lengths-v0" else metarl.make(id)


@pytest.mark.parametrize(
    "id", ["Lengths-v0", "RandomMDP-v0", "BernoulliBandit-v0", "GaussianBandit-v0"]
)
@pytest.mark.parametrize("refill", [True, False])
def test_a_row_does_not_depend_on_what_other_rows_do(id, refill):
    """Other rows get other tasks and other actions, so that their clocks differ too.

    Row 1 stays as it is, bit for bit.
    """
    distribution = noisy(id)
    action_count = int(distribution.action_space.n)
    base = fresh_tasks(distribution, "train", 4, 0)
    streams = []
    for play_seed in (1, 2):
        others = fresh_tasks(distribution, "train", 4, play_seed)

        def source(rows, counts, others=others):
            return base(rows, counts).where(rows != 1, others(rows, counts))

        rng = generator(play_seed)
        own = generator(7)
        env = MetaEpisodeEnv(distribution, Episodes(3, 0), 4, generator(0), refill=refill)
        records = [env.reset(source)]
        for _ in range(24):
            action = torch.randint(action_count, (4,), generator=rng)
            action[1] = torch.randint(action_count, (), generator=own)
            step, outcome = env.step(action)
            records += [step, outcome] if refill or bool(outcome.valid[1]) else []
        streams.append([value[1] for record in records for value in record])
    assert len(streams[0]) == len(streams[1]) > 20
    assert all(torch.equal(a, b) for a, b in zip(*streams, strict=True))


@pytest.mark.parametrize("id", ["Lengths-v0", "RandomMDP-v0"])
def test_with_a_generator_each_a_row_plays_as_it_would_alone(id):
    distribution = noisy(id)
    source = fresh_tasks(distribution, "train", 3, 0)
    count = int(distribution.action_space.n)
    actions = torch.randint(count, (30, 3), generator=generator())
    together = MetaEpisodeEnv(distribution, Episodes(2, 0), 3, [generator(i) for i in range(3)])
    streams = [[together.reset(source)]]
    for action in actions:
        streams[0] += together.step(action)
    for i in range(3):
        alone = MetaEpisodeEnv(distribution, Episodes(2, 0), 1, generator(i))
        records = [alone.reset(lambda rows, counts, i=i: source(rows + i, counts))]
        for action in actions:
            records += alone.step(action[i : i + 1])
        for record, other in zip(streams[0], records, strict=True):
            assert all(torch.equal(a[i], b[0]) for a, b in zip(record, other, strict=True))


def test_the_same_seed_gives_the_same_stream_and_another_seed_another():
    distribution = metarl.make("RandomMDP-v0")
    rewards = []
    for seed in (0, 0, 1):
        env = MetaEpisodeEnv(distribution, Episodes(2, 0), 3, generator(seed))
        seen = play(env, fresh_tasks(distribution, "train", 3, 0), 12)
        rewards.append(torch.stack([outcome.reward for _, outcome in seen[1:]]))
    assert torch.equal(rewards[0], rewards[1])
    assert not torch.equal(rewards[0], rewards[2])


def test_no_global_generator_is_touched():
    state = torch.get_rng_state()
    env = MetaEpisodeEnv(Lengths(), Episodes(2, 0), 3, generator())
    play(env, fresh_tasks(Lengths(), "train", 3, 0), 20)
    assert torch.equal(torch.get_rng_state(), state)


def test_reset_starts_over():
    env = MetaEpisodeEnv(Marks(), Episodes(2, 0), 2, generator())
    source = source_of(Marks(), [[1, 2, 3], [4, 5, 0]])
    first = play(env, source, 5)
    second = play(env, source, 5)
    for (step, _), (again, _) in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(step, again, strict=True))


class Faulty(Marks):
    """Marks with one fault at the second step of task 2."""

    def __init__(self, fault: str):
        self.fault = fault

    def reset(self, tasks, rng):
        state, observation = super().reset(tasks, rng)
        if self.fault == "shape of the start":
            return state, observation[:, :1]
        if self.fault == "infinite start":
            return state, observation * torch.where(tasks.index == 2, torch.inf, 1.0)[:, None]
        return state, observation

    def step(self, tasks, state, action, rng):
        transition = super().step(tasks, state, action, rng)
        here = (tasks.index == 2) & (state == 1)
        if self.fault == "NaN reward":
            return transition._replace(reward=torch.where(here, torch.nan, transition.reward))
        if self.fault == "NaN observation":
            return transition._replace(
                observation=torch.where(here[:, None], torch.nan, transition.observation)
            )
        if self.fault.startswith("shape of "):
            name = self.fault.removeprefix("shape of ")
            return transition._replace(**{name: getattr(transition, name)[..., None]})
        return transition


@pytest.mark.parametrize("fault", ["NaN reward", "NaN observation"])
def test_values_that_are_not_finite_are_named_by_task_and_step(fault):
    env = MetaEpisodeEnv(Faulty(fault), Episodes(2, 0), 4, generator())
    with pytest.raises(
        PlugInError,
        match=r"Marks-v0: .* not finite .* the task of row 2 \(its task number 0\) at step 2\.",
    ):
        play(env, source_of(Marks(), [[i] * 9 for i in range(4)]), 8)


def test_a_later_task_is_named_by_its_number():
    env = MetaEpisodeEnv(Faulty("NaN reward"), Episodes(1, 0), 2, generator())
    with pytest.raises(PlugInError, match=r"the task of row 1 \(its task number 3\) at step 2\."):
        play(env, source_of(Marks(), [[1] * 9, [0, 0, 0, 2]]), 8)


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        ([[2]], r"row 0 \(its task number 0\) at step 0"),
        ([[1, 2]], r"row 0 \(its task number 1\) at step 0"),
    ],
)
def test_a_start_that_is_not_finite_is_named_too(rows, where):
    env = MetaEpisodeEnv(Faulty("infinite start"), Episodes(1, 0), 1, generator())
    with pytest.raises(PlugInError, match=where):
        play(env, source_of(Marks(), rows), 2)


def test_what_finished_rows_give_is_not_looked_at():
    env = MetaEpisodeEnv(Faulty("infinite start"), Episodes(1, 0), 2, generator(), refill=False)
    distribution = Marks()
    asked = []

    def source(rows, counts):
        asked.append(rows)
        return distribution.sample(6, "train", 0)[[0, 5]]

    env.reset(source)
    # What row 0 starts after its only meta-episode is infinite
    env._tasks = distribution.sample(6, "train", 0)[[2, 5]]
    seen = [env.step(actions_of(2, t)) for t in range(4)]
    assert [outcome.valid.tolist() for _, outcome in seen] == [[True, True], *[[False, True]] * 3]
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["reward", "observation", "terminated", "success"])
def test_wrong_shapes_are_named(name):
    env = MetaEpisodeEnv(Faulty(f"shape of {name}"), Episodes(2, 0), 4, generator())
    with pytest.raises(
        PlugInError, match=rf"Marks-v0: step 1 gave {name} of shape \(4, .*\), not \(4"
    ):
        play(env, fresh_tasks(Marks(), "train", 4, 0), 1)


def test_a_start_of_a_wrong_shape_is_named():
    env = MetaEpisodeEnv(Faulty("shape of the start"), Episodes(2, 0), 4, generator())
    with pytest.raises(PlugInError, match=r"reset gave observations of shape \(4, 1\)"):
        play(env, fresh_tasks(Marks(), "train", 4, 0), 1)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (torch.zeros(3, dtype=torch.int64), r"can't have shape \(3,\)"),
        (torch.zeros(4, 1, dtype=torch.int64), r"can't have shape \(4, 1\)"),
        (torch.zeros(4), "must be torch.int64, not torch.float32"),
    ],
)
def test_actions_that_do_not_fit_are_refused(action, message):
    env = MetaEpisodeEnv(Marks(), Episodes(2, 0), 4, generator())
    env.reset(fresh_tasks(Marks(), "train", 4, 0))
    with pytest.raises(PlugInError, match=message):
        env.step(action)


def test_bad_arguments_get_a_sentence():
    with pytest.raises(ValueError, match="num_envs must be at least 1, not 0"):
        MetaEpisodeEnv(Marks(), Episodes(2, 0), 0, generator())
    with pytest.raises(ValueError, match="3 rows can't share 2"):
        MetaEpisodeEnv(Marks(), Episodes(2, 0), 3, [generator(), generator()])
    nested = Marks()
    nested.observation_space = gym.spaces.Dict({"a": Marks.observation_space})
    with pytest.raises(ValueError, match=r"observation_space Dict.* isn't supported; flatten it"):
        MetaEpisodeEnv(nested, Episodes(2, 0), 3, generator())


def test_types_of_tensors():
    spaces = gym.spaces
    image = spaces.Box(0, 255, (2, 2, 3), "uint8")
    vector = spaces.Box(-1, 1, (2,), "float64")
    kinds = [image, vector, spaces.Discrete(2), spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(2)]
    assert [observation_dtype(space) for space in kinds] == [
        torch.uint8,
        torch.float32,
        torch.int64,
        torch.int64,
        torch.int64,
    ]
    assert [action_dtype(space) for space in kinds] == [
        torch.float32,
        torch.float32,
        torch.int64,
        torch.int64,
        torch.int64,
    ]
