"""One environment of Meta-World.

Its own numbers, its end, what shows of the goal, and its use for one variation after another.
"""

import pickle
import subprocess
import sys

import metaworld
import numpy as np
import pytest

from metarl.tasks.metaworld.env import MOST_IDLE, OBSERVATIONS, MakeEnvironment
from metarl.tasks.metaworld.goals import benchmark_tasks
from tests.tasks.mujoco.test_renderer import NO_EGL

REACH = benchmark_tasks("ML1", 0, "reach-v3")["train"]
ACTIONS = np.random.default_rng(0).uniform(-1, 1, (60, 4)).astype(np.float32)


def play(env, actions=ACTIONS):
    """Observations, rewards, ends and successes of one episode."""
    seen = [env.reset(seed=0)[0]]
    rest = []
    for action in actions:
        observation, *other = env.step(action)
        seen.append(observation)
        rest.append([*other[:3], other[3]["success"]])
    return np.stack(seen), np.array(rest, float)


def theirs(variation, actions=ACTIONS, **arguments):
    """Return the same of Meta-World's environment, untouched."""
    env = metaworld.ALL_V3_ENVIRONMENTS[variation.name](**arguments)
    env.set_task(metaworld.Task(variation.name, variation.data))
    seen, rest = play(env, actions)
    return seen.astype(np.float32), rest


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_observations_and_rewards_are_meta_worlds_own(version):
    ours = play(MakeEnvironment(reward=version)(REACH[4]))
    assert same(ours, theirs(REACH[4], reward_function_version=version))
    assert ours[0].dtype == np.float32
    assert ours[0].shape[1:] == OBSERVATIONS.shape


def test_reward_versions_differ():
    assert not np.array_equal(
        play(MakeEnvironment(reward="v1")(REACH[0]))[1],
        play(MakeEnvironment(reward="v2")(REACH[0]))[1],
    )


def test_a_used_environment_plays_as_a_new_one():
    maker = MakeEnvironment()
    push = benchmark_tasks("ML1", 0, "push-v3")["train"]
    for variations in (REACH, push):
        first = maker(variations[0])
        model = first.env
        play(first)
        play(first, ACTIONS[::-1])
        first.close()
        second = maker(variations[1])
        assert second.env is model
        assert same(play(second), play(MakeEnvironment()(variations[1])))
        second.close()


def test_the_goal_shows_only_where_wanted():
    variation = REACH[2]
    maker = MakeEnvironment(goal_visible=True)
    hidden = MakeEnvironment()(variation)
    shown = maker(variation)
    dark, first = play(hidden)
    light, second = play(shown)
    assert (dark[:, 36:] == 0).all()
    goal = shown.env._target_pos
    assert np.allclose(light[:, 36:], goal)
    assert np.array_equal(dark[:, :36], light[:, :36])
    assert np.array_equal(first, second)
    shown.close()
    other = maker(REACH[3])  # the same environment, set to another goal
    assert np.allclose(play(other)[0][:, 36:], other.env._target_pos)
    assert not np.allclose(other.env._target_pos, goal)


def test_success_ends_nothing_and_meta_worlds_limit_truncates():
    from metaworld.policies import ENV_POLICY_MAP

    env = MakeEnvironment(goal_visible=True)(REACH[0])
    script = ENV_POLICY_MAP["reach-v3"]()
    observation = env.reset(seed=1)[0]
    ends = []
    successes = []
    for _ in range(500):
        observation, _, terminated, truncated, info = env.step(
            np.clip(script.get_action(observation), -1, 1)
        )
        ends.append((terminated, truncated))
        successes.append(info["success"])
    assert ends == [(False, False)] * 499 + [(False, True)]
    assert 5 < successes.index(True) < 100
    assert sum(successes) > 300


def test_too_many_idle_environments_are_closed():
    maker = MakeEnvironment()
    closed = []

    class Idle:
        def close(self):
            closed.append(self)

    all_of_them = [Idle() for _ in range(MOST_IDLE + 2)]
    for env in all_of_them:
        maker.give_back("reach-v3", env)
    assert closed == all_of_them[:2]
    assert maker.take("reach-v3") is all_of_them[-1]


def test_workers_get_no_environments_along():
    maker = MakeEnvironment(goal_visible=True)
    maker.give_back("reach-v3", lambda: "can't be pickled")
    copied = pickle.loads(pickle.dumps(maker))
    assert (copied.goal_visible, copied.reward, copied._idle) == (True, "v2", [])


def test_a_variation_says_its_task_and_its_number():
    assert repr(REACH[7]) == "reach-v3 7"


def test_workers_need_no_pytorch():
    source = (
        "import sys, metarl.tasks.metaworld.env; assert 'torch' not in sys.modules and 'metaworld'"
        " not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", source], check=True)


def test_it_draws_itself_and_plays_on_as_if_it_had_not():
    env = MakeEnvironment()(REACH[4])
    seen = [env.reset(seed=0)[0]]
    rest = []
    pictures = []
    said = []
    for action in ACTIONS:
        try:
            pictures.append(env.render())
        except ValueError as error:
            said.append(str(error))
        observation, *other = env.step(action)
        seen.append(observation)
        rest.append([*other[:3], other[3]["success"]])
    env.close()
    assert same((np.stack(seen), np.array(rest, float)), theirs(REACH[4]))
    if said:  # no EGL here
        assert len(said) == len(ACTIONS)
        assert all(NO_EGL.fullmatch(each) for each in said)
        return
    assert {(picture.shape, picture.dtype) for picture in pictures} == {
        ((150, 200, 3), np.dtype(np.uint8))
    }
    assert all(picture.std() > 20 for picture in pictures)
    assert not np.array_equal(pictures[0], pictures[-1]), "the arm moves"


def test_without_egl_drawing_it_gets_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco.egl", None)
    env = MakeEnvironment()(REACH[4])
    env.reset(seed=0)
    with pytest.raises(ValueError, match=NO_EGL):
        env.render()
