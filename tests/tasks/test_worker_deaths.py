"""Worker processes that die.

Their episodes are cut, others play on, and what dies again and again is named.
"""

import os
import signal
import warnings

import pytest
import torch

import metarl
from metarl.core.budget import Episodes, Steps
from metarl.core.errors import PlugInError
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.envs.workers import MOST_DEATHS, WorkerPool
from tests.envs.test_workers import gone, leftovers, opened, pids, spec
from tests.tasks.noisy_walk import Dies, NoisyWalk


def play(pool: WorkerPool, steps: int) -> None:
    """Step, and begin the next episode where one ended."""
    for _ in range(steps):
        pool.step()
        pool.arrays.begin[:] = pool.arrays.terminated | pool.arrays.truncated
        pool.reset()


def play_on(env: MetaEpisodeEnv, steps: int) -> None:
    for _ in range(steps):
        env.step(torch.zeros(1, dtype=torch.int64))


def kill(pool: WorkerPool, worker: int) -> None:
    os.kill(pids(pool)[worker], signal.SIGKILL)
    pool._workers.processes[worker].wait()


def actions(t: int, rows: int) -> torch.Tensor:
    return torch.randint(2, (rows,), generator=torch.Generator().manual_seed(t))


@pytest.mark.parametrize(
    ("fault", "cause"), [("segfault", "was killed by SIGSEGV"), ("exit", "exited with status 7")]
)
def test_what_dies_again_and_again_is_named_with_task_row_and_step(fault, cause, capfd):
    before = leftovers()
    pool = opened(spec(0.0, fault), 4, 2, index=[0, 0, 1, 0])
    who = (
        rf"worker process 1 \(rows 2 to 3\) {cause} while it played train task 1 \('{fault}'\) in"
        r" row 2, at step 2 of its episode\."
    )
    with (
        pytest.warns(
            RuntimeWarning,
            match=rf"{who} The episodes of its rows are cut there, and a new worker plays on\.",
        ) as said,
        pytest.raises(
            PlugInError,
            match=(
                rf"{who} That was death 3 there without a finished episode; mend the task or leave"
                r" it out\."
            ),
        ),
    ):
        play(pool, 20)
    assert len(said) == MOST_DEATHS - 1
    assert all(gone(pid) for pid in pids(pool))
    if fault == "segfault":
        assert "in fault" in capfd.readouterr().err  # where it happened is on standard error
    del pool
    assert leftovers() == before


def test_episodes_of_a_killed_worker_are_cut_and_those_of_others_go_on():
    still, killed = (opened(spec(0.0, 0.5, 1.0), 4, 2, index=[0, 1, 2, 2]) for _ in range(2))
    for pool in (still, killed):
        pool.step()
    kill(killed, 1)
    seen = killed.arrays.observation[2:].copy()
    with pytest.warns(
        RuntimeWarning,
        match=(
            r"worker process 1 \(rows 2 to 3\) was killed by SIGKILL between .* held train task 2"
            r" \(1\.0\)\."
        ),
    ):
        killed.step()
    still.step()
    arrays = killed.arrays
    assert arrays.truncated.tolist() == [False, False, True, True]
    assert arrays.terminated[2:].tolist() == [False, False]
    assert arrays.reward[2:].tolist() == [0.0, 0.0]
    assert (arrays.observation[2:] == seen).all()
    for name in ("observation", "reward", "terminated", "truncated"):
        assert (getattr(arrays, name)[:2] == getattr(still.arrays, name)[:2]).all(), (
            "the other worker's rows don't notice"
        )
    for pool in (still, killed):
        pool.arrays.begin[:] = [False, False, True, True]
        pool.arrays.seed[:] = 7
        pool.reset()
        pool.step()
    assert (arrays.observation[2:] == still.arrays.observation[2:]).all(), (
        "the new worker plays as any"
    )
    assert not arrays.truncated.any()
    for pool in (still, killed):
        pool.close()


def test_a_worker_killed_before_a_reset_cuts_its_other_rows_at_the_next_step():
    pool = opened(spec(0.0, 0.5), 4, 2, index=[0, 0, 0, 1])
    pool.step()
    kill(pool, 1)
    pool.arrays.begin[:] = [False, False, False, True]
    with pytest.warns(RuntimeWarning, match="was killed by SIGKILL"):
        pool.reset()
    started = pool.arrays.observation[3].copy()
    assert started[1] == 0.5
    pool.step()
    assert pool.arrays.truncated.tolist() == [False, False, True, False]
    assert (pool.arrays.observation[3] != started).any()
    pool.close()


@pytest.mark.parametrize("when", ["made", "reset"])
def test_an_environment_that_dies_at_its_start_is_named(when):
    pool = WorkerPool(spec("never", when, kind=Dies), 2, 2)
    pool.arrays.wanted[:] = pool.arrays.begin[:] = True
    pool.arrays.index[:] = [0, 1]
    name = (
        r"worker process 1 \(rows 1 to 1\) was killed by SIGKILL while it played train task 1"
        rf" \('{when}'\) in row 1, at step 0"
    )
    with (
        pytest.warns(RuntimeWarning),
        pytest.raises(PlugInError, match=rf"{name} of its episode\. That was death 3"),
    ):
        pool.reset()
    assert all(gone(pid) for pid in pids(pool))


def test_deaths_are_forgotten_once_an_episode_is_finished():
    pool = opened(spec(0.0), 1, 1)
    for _ in range(2 * MOST_DEATHS):
        kill(pool, 0)
        with pytest.warns(RuntimeWarning):
            pool.step()
        assert pool.arrays.truncated.tolist() == [True]
        pool.reset()  # after a cut one
        pool.step()
        pool.reset()  # after one that its player ended
    for _ in range(MOST_DEATHS - 1):
        kill(pool, 0)
        with pytest.warns(RuntimeWarning):
            pool.step()
        pool.reset()
    kill(pool, 0)
    with pytest.raises(
        PlugInError, match=r"was killed by SIGKILL between steps .* That was death 3"
    ):
        pool.step()


def test_meta_episodes_go_on_after_a_death():
    distribution = GymnasiumDistribution(
        "NoisyWalk-v0", NoisyWalk, {"train": [0.0, 1.0]}, 50, workers=2
    )
    env = MetaEpisodeEnv(distribution, Episodes(2, 0), 2, torch.Generator().manual_seed(0))
    env.reset(fresh_tasks(distribution, "train", 2, 0))
    kill(env._rows.host, 0)
    with pytest.warns(RuntimeWarning, match="killed by SIGKILL"):
        step, outcome = env.step(actions(0, 2))
    assert (outcome.truncated[0], outcome.terminated[0], outcome.reward[0]) == (True, False, 0.0)
    assert (step.prev_truncated[0], step.prev_terminated[0], step.meta_episode_start[0]) == (
        True,
        False,
        False,
    )
    assert outcome.episode[0] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        later = [env.step(actions(t, 2))[1] for t in range(1, 200)]
    assert max(int(outcome.task[0]) for outcome in later) > 1, (
        "further episodes and tasks are played"
    )
    assert not torch.stack([outcome.reward for outcome in later]).eq(0).any()
    env.close()


def test_meta_episodes_stop_with_a_sentence_where_a_task_kills_every_worker():
    distribution = GymnasiumDistribution(
        "NoisyWalk-v0", NoisyWalk, {"train": [0.0], "test": ["exit"]}, 9, workers=1
    )
    env = MetaEpisodeEnv(distribution, Steps(20), 1, torch.Generator())
    env.reset(fresh_tasks(distribution, "test", 1, 0))
    with (
        pytest.warns(RuntimeWarning),
        pytest.raises(
            PlugInError, match=r"with status 7 .* test task 0 \('exit'\) in row 0, at step 2"
        ),
    ):
        play_on(env, 60)


def test_an_error_in_python_is_not_tried_again():
    pool = opened(spec("raise"), 8, 1)  # not all walks end before the error
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PlugInError, match="RuntimeError: the walk is blocked"):
            play(pool, 5)
    assert all(gone(pid) for pid in pids(pool))


def test_an_emulator_that_is_killed_amid_play_is_started_again():
    distribution = metarl.make("Airstriker-v0", horizon=40)
    env = MetaEpisodeEnv(distribution, Episodes(2, 0), 2, torch.Generator().manual_seed(0))
    env.reset(fresh_tasks(distribution, "train", 2, 0))
    try:
        for t in range(5):
            before = env.step(actions(t, 2))[0].observation
        kill(env._rows.host, 1)
        with pytest.warns(
            RuntimeWarning,
            match=(
                r"Airstriker-v0: worker process 1 .* killed by SIGKILL between .* it held train"
                r" task"
            ),
        ):
            step, outcome = env.step(actions(5, 2))
        assert outcome.truncated.tolist() == [False, True]
        assert outcome.reward[1] == 0
        assert torch.equal(outcome.final_observation[1], before[1])
        start = step.observation[1].clone()
        assert (start[..., :1] == start).all(), "an episode's first picture fills the stack"
        later = [env.step(actions(t, 2)) for t in range(6, 50)]
        assert (later[3][0].observation[1] != start).any()
        assert [bool(outcome.truncated[0]) for _, outcome in later].count(True) == 1
        assert later[39][1].truncated.tolist() == [False, True], "a whole episode after the cut one"
    finally:
        env.close()
