"""The way out: meta-episodes as episodes of Gymnasium environments, single and vector."""

import copy
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.vector import AutoresetMode

import metarl
from metarl.core.budget import Episodes
from metarl.core.capabilities import draws_rows
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.interop.gymnasium_env import MetaEpisodeGymnasium, MetaEpisodeVector
from tests.envs.marks import AdaptedMarks, Marks
from tests.playable import SLOW, different_ids, playable_ids
from tests.tasks.noisy_walk import NoisyWalk

ROOT = Path(__file__).parents[2]
BUDGETS = [{"episodes": 3}, {"steps": 7}]
# Budgets and rows are counted by the environment itself, whatever it plays; so what is slow is
# played under one of each.
CHECKED = [
    (id, budget) for id in different_ids() for budget in (BUDGETS[1:] if id in SLOW else BUDGETS)
]
PLAYED = [
    (num_envs, id, budget)
    for num_envs in (1, 3)
    for id, budget in CHECKED
    if num_envs == 3 or id not in SLOW
]


@pytest.mark.parametrize(("id", "budget"), CHECKED)
def test_every_registered_distribution_passes_gymnasiums_own_check(id, budget):
    env = gym.make(f"metarl/{id}", **budget)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Of a reward; CartPole gets it too
        warnings.filterwarnings("ignore", message=".*(minimum|maximum) value is -?infinity")
        # Pendulum's own is [-2, 2]
        warnings.filterwarnings(
            "ignore", message=".*we recommend using a symmetric and normalized space"
        )
        check_env(env.unwrapped)
    env.close()


def test_adapted_environments_pass_the_check_too():
    distribution = GymnasiumDistribution("NoisyWalk-v0", NoisyWalk, {"train": [0.0, 0.5]}, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has no spec
        check_env(MetaEpisodeGymnasium(distribution, Episodes(2, 0)))


def test_a_bandits_observation_written_out():
    """[observation (1), previous action (3), previous reward, episode start]."""
    env = gym.make("metarl/BernoulliBandit-v0", arms=3, episodes=2)
    observation, info = env.reset(seed=1)
    assert env.observation_space.shape == (6,)
    assert env.action_space == gym.spaces.Discrete(3)
    assert observation.tolist() == [1, 0, 0, 0, 0, 1]
    assert info == {"task": 0}
    observation, reward, terminated, truncated, info = env.step(2)
    assert observation.tolist() == [1, 0, 0, 1, reward, 1]
    assert (terminated, truncated) == (False, False)
    assert info == {
        "task": 0,
        "inner_episode": 0,
        "inner_reward": reward,
        "inner_terminated": True,
        "inner_truncated": False,
        "inner_success": False,
    }
    observation, reward, terminated, truncated, info = env.step(0)
    assert observation.tolist() == [1, 1, 0, 0, reward, 0]  # the end starts no episode
    assert (terminated, truncated) == (True, False)
    assert info["inner_episode"] == 1
    assert type(reward) is float
    assert type(terminated) is type(truncated) is bool


def test_what_ends_inner_and_outer_episodes():
    """Marks.

    Episodes of length 2 terminate, those of length 9 are truncated at the horizon of 4.
    """
    length_of = {10: 1, 20: 2, 30: 3, 40: 4, 50: 4, 60: 4}
    env = MetaEpisodeGymnasium(Marks(), Episodes(2, 0))
    for _ in range(12):  # until a task of length 9 has been met: tasks follow a seed
        observation, _ = env.reset(seed=0) if not env._rows.seeded else env.reset()
        mark = observation[0]
        ends = []
        steps = 0
        assert observation.tolist() == [mark, 0, 0, 0, 0, 0, 1]
        while True:
            observation, reward, terminated, truncated, info = env.step(1)
            steps += 1
            assert reward == pytest.approx(mark + 1 + (steps - 1) % length_of[mark] + 0.1)
            ends.append((info["inner_terminated"], info["inner_truncated"]))
            assert not truncated
            if terminated:
                break
        length = length_of[mark]
        assert steps == 2 * length
        last = (True, False) if mark <= 40 else (False, True)
        assert ends == [*[(False, False)] * (length - 1), last] * 2
        assert observation.tolist() == pytest.approx(
            [mark, length, 0, 1, 0, mark + length + 0.1, 0]
        )


def test_a_step_budget_truncates_the_outer_episode():
    env = gym.make("metarl/RandomMDP-v0", states=4, actions=2, horizon=3, steps=7)
    env.reset(seed=0)
    flags = [env.step(t % 2)[2:4] for t in range(7)]
    assert flags == [(False, False)] * 6 + [(False, True)]


def task_of(env) -> list:
    return env.unwrapped._rows.env._tasks.means[0].tolist()


def test_a_seed_names_a_stream_of_tasks_and_reset_takes_the_next():
    def tasks(env, seeds):
        return [(env.reset(seed=seed)[1]["task"], task_of(env)) for seed in seeds]

    env = gym.make("metarl/BernoulliBandit-v0", episodes=2)
    stream = tasks(env, [5, None, None, None])
    assert [number for number, _ in stream] == [0, 1, 2, 3]
    assert len({tuple(means) for _, means in stream}) == 4
    assert tasks(gym.make("metarl/BernoulliBandit-v0", episodes=2), [5, None]) == stream[:2]
    assert tasks(env, [5]) == stream[:1]
    assert tasks(env, [6])[0][1] != stream[0][1]
    env.reset(seed=5)
    env.step(0)
    env.step(0)  # a meta-episode played to its end ...
    assert (env.reset()[1]["task"], task_of(env)) == stream[1]
    env.step(0)  # ... or left early: the next one comes
    assert (env.reset()[1]["task"], task_of(env)) == stream[2]


def test_splits_give_other_tasks():
    means = []
    for split in ("train", "test"):
        env = gym.make("metarl/BernoulliBandit-v0", split=split)
        env.reset(seed=0)
        means.append(task_of(env))
    assert means[0] != means[1]


def test_without_a_seed_streams_differ():
    envs = [gym.make("metarl/BernoulliBandit-v0") for _ in range(2)]
    for env in envs:
        env.reset()
    assert task_of(envs[0]) != task_of(envs[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"episodes": 3, "steps": 4}, "one of episodes, steps and budget"),
        ({"episodes": 3, "budget": 4}, "one of episodes, steps and budget"),
        ({"split": "valid"}, "has no split 'valid'"),
        ({"arms": 0}, "at least one arm, not 0"),
        ({"hands": 2}, r"BernoulliBandit-v0 can't be made with \{'hands': 2\}"),
        ({"episodes": 0}, "K=0, M=0"),
        ({"steps": 0}, "at least one step, not 0"),
    ],
)
def test_bad_arguments_get_a_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        gym.make("metarl/BernoulliBandit-v0", **arguments)
    with pytest.raises(ValueError, match=message):
        gym.make_vec("metarl/BernoulliBandit-v0", num_envs=2, **arguments)


def test_steps_out_of_turn_and_bad_actions_get_a_sentence():
    env = gym.make("metarl/BernoulliBandit-v0", arms=2, episodes=1).unwrapped
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    for action in (2, -1):
        with pytest.raises(ValueError, match=r"no such action in Discrete\(2\)"):
            env.step(action)
    with pytest.raises(ValueError, match=r"have shape \(1,\), not \(1, 1\)"):
        env.step([0])
    env.step(1)
    with pytest.raises(gym.error.ResetNeeded, match="is over"):
        env.step(0)
    vector = gym.make_vec("metarl/BernoulliBandit-v0", num_envs=2)
    with pytest.raises(gym.error.ResetNeeded):
        vector.step(np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="one for each of the 2 rows, not 3"):
        vector.reset(seed=[1, 2, 3])
    with pytest.raises(ValueError, match="leave reset_mask out"):
        vector.reset(options={"reset_mask": np.ones(2, bool)})


def trace(env, seed, steps: int) -> list:
    """Everything that `steps` steps give; a single environment is reset whenever it ends."""
    env.action_space.seed(3)
    seen = [copy.deepcopy(env.reset(seed=seed))]
    for _ in range(steps):
        seen.append(copy.deepcopy(env.step(env.action_space.sample())))
        if not isinstance(env, gym.vector.VectorEnv) and (seen[-1][2] or seen[-1][3]):
            seen.append(copy.deepcopy(env.reset()))
    return seen


@pytest.mark.parametrize(("num_envs", "id", "budget"), PLAYED)
def test_vector_rows_equal_single_environments_bit_for_bit(id, budget, num_envs):
    """SyncVectorEnv steps single environments seeded s, s + 1, ....

    Observations, rewards, ends, infos are the same.
    """
    vector = gym.make_vec(f"metarl/{id}", num_envs=num_envs, **budget)
    singles = gym.make_vec(
        f"metarl/{id}",
        num_envs=num_envs,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        **budget,
    )
    assert isinstance(vector, MetaEpisodeVector)
    assert (
        vector.metadata["autoreset_mode"]
        == singles.metadata["autoreset_mode"]
        == AutoresetMode.SAME_STEP
    )
    assert vector.observation_space == singles.observation_space
    assert vector.action_space == singles.action_space
    assert data_equivalence(trace(vector, 11, 45), trace(singles, 11, 45), exact=True)
    assert data_equivalence(
        trace(vector, [4] * num_envs, 9), trace(singles, [4] * num_envs, 9), exact=True
    )


@pytest.mark.parametrize(
    "make",
    [
        Marks,
        AdaptedMarks,
        lambda: GymnasiumDistribution("Walk-v0", NoisyWalk, {"train": [0.0, 0.5, 1.0]}, 5),
    ],
)
def test_rows_on_clocks_of_their_own_equal_single_environments_too(make):
    vector = MetaEpisodeVector(make(), Episodes(2, 0), num_envs=4)
    singles = gym.vector.SyncVectorEnv(
        [lambda: MetaEpisodeGymnasium(make(), Episodes(2, 0)) for _ in range(4)],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    one = trace(vector, 2, 60)
    other = trace(singles, 2, 60)
    assert data_equivalence(one, other, exact=True)
    ends = np.stack([step[2] for step in one[1:]])
    assert len({tuple(column) for column in ends.T}) > 1, "clocks differ"


def test_rows_of_one_seed_are_equal_and_rows_go_on_without_a_seed():
    vector = gym.make_vec("metarl/BernoulliBandit-v0", num_envs=3, episodes=2)
    _, info = vector.reset(seed=[4, 4, 5])
    assert info["task"].tolist() == [0, 0, 0]
    rewards = np.stack([vector.step(np.zeros(3, np.int64))[1] for _ in range(200)])
    assert np.array_equal(rewards[:, 0], rewards[:, 1])
    assert not np.array_equal(rewards[:, 0], rewards[:, 2])
    vector.reset(seed=[4, None, None])
    assert vector.reset()[1]["task"].tolist() == [1, 102, 102]


def test_batched_rows_equal_a_single_environment_where_there_is_one():
    singles = MetaEpisodeVector(metarl.make("RandomMDP-v0"), Episodes(2, 0), num_envs=1)
    batched = gym.make_vec("metarl/RandomMDP-v0", num_envs=1, episodes=2, batched=True)
    assert data_equivalence(trace(singles, 8, 50), trace(batched, 8, 50), exact=True)


def test_batched_rows_play_the_same_game():
    """Pulling arm 0 of uniform bandits pays 1/2 on average, whichever way tasks and noise are
    drawn.
    """
    vector = gym.make_vec("metarl/BernoulliBandit-v0", num_envs=4000, episodes=5, batched=True)
    first, _ = vector.reset(seed=0)
    rewards = np.stack([vector.step(np.zeros(4000, np.int64))[1] for _ in range(20)])
    # 16,000 tasks of five pulls each
    assert abs(rewards.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 16000 + 1 / 6 / 80000)
    assert not np.array_equal(rewards[:, 0], rewards[:, 1])
    again, _ = vector.reset(seed=0)
    assert np.array_equal(first, again)
    assert np.array_equal(rewards[0], vector.step(np.zeros(4000, np.int64))[1])


def test_stable_baselines3s_ppo_learns_through_the_way_out():
    """Identity.

    Naming the number shown pays 1, so that a meta-episode of two episodes of four steps pays 8;
    chance pays 8/3.
    """
    from stable_baselines3 import PPO
    from stable_baselines3.common.evaluation import evaluate_policy

    def score() -> float:
        test = gym.make("metarl/Identity-v0", numbers=3, horizon=4, episodes=2, split="test")
        test.reset(seed=1)
        return evaluate_policy(model, test, n_eval_episodes=10, warn=False)[0]

    env = gym.make("metarl/Identity-v0", numbers=3, horizon=4, episodes=2)
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=64,
        batch_size=64,
        learning_rate=5e-3,
        gamma=0.5,
        ent_coef=0.0,
        seed=0,
        device="cpu",
    )
    assert score() < 6.5
    model.learn(640)
    assert score() > 7


@pytest.mark.parametrize("id", playable_ids())
def test_families_that_draw_give_pictures_and_all_others_a_sentence(id):
    env = gym.make(f"metarl/{id}", episodes=2, render_mode="rgb_array")
    draws = draws_rows(env.unwrapped.distribution)
    assert env.metadata["render_modes"] == (["rgb_array"] if draws else [])
    assert env.render_mode == ("rgb_array" if draws else None)
    env.reset(seed=0)
    if draws:
        picture = env.render()
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3
    else:
        with pytest.raises(ValueError, match="this family draws nothing"):
            env.unwrapped.render()
    env.close()


def test_pictures_follow_what_is_played():
    env = gym.wrappers.RenderCollection(
        gym.make("metarl/CartPole-v0", episodes=1, render_mode="rgb_array")
    )
    env.reset(seed=0)
    env.step(0)
    env.step(1)
    pictures = env.render()
    assert len({picture.tobytes() for picture in pictures}) == 3
    vector = gym.make_vec("metarl/CartPole-v0", num_envs=2, render_mode="rgb_array")
    vector.reset(seed=0)
    assert np.array_equal(vector.render()[0], pictures[0])


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("human", 'pictures come as arrays, render_mode="rgb_array"'),
        (None, 'make it with render_mode="rgb_array"'),
    ],
)
def test_pictures_that_were_not_asked_for_get_a_sentence(mode, sentence):
    with pytest.raises(ValueError, match=sentence):
        gym.make("metarl/CartPole-v0", render_mode=mode).unwrapped.render()


@pytest.mark.parametrize("budget", [3, Episodes(3)])
def test_a_meta_episode_may_be_told_by_its_budget(budget):
    env = gym.make("metarl/BernoulliBandit-v0", budget=budget)
    env.reset(seed=0)
    assert [env.step(0)[2] for _ in range(3)] == [False, False, True]
    envs = gym.make_vec("metarl/BernoulliBandit-v0", 2, budget=budget)
    envs.reset(seed=0)
    assert [envs.step(np.zeros(2, int))[2].all() for _ in range(3)] == [False, False, True]
