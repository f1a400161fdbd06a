"""Stable-Baselines3, the real library.

Its algorithms on our meta-episodes, its models as our agents.
"""

import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

import metarl
from metarl.core.seeding import torch_generator
from metarl.interop.gymnasium_env import MetaEpisodeVector
from metarl.interop.stable_baselines3 import from_sb3, vec_env
from tests.playable import playable_ids

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"device": "cpu", "seed": 0}


def global_numpy_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002 - which nothing here may touch


def recurrent(**settings):
    contrib = pytest.importorskip("sb3_contrib")
    small = {"n_steps": 16, "batch_size": 16, "policy_kwargs": {"lstm_hidden_size": 8}}
    return contrib.RecurrentPPO("MlpLstmPolicy", **{**SMALL, **small, **settings})


# (algorithm, id): every kind of action that each of them plays
MODELS = {
    "PPO, discrete": lambda: PPO(
        "MlpPolicy", "metarl/BernoulliBandit-v0", n_steps=16, batch_size=16, **SMALL
    ),
    "PPO, box": lambda: PPO(
        "MlpPolicy", "metarl/PointNavigation-v0", n_steps=16, batch_size=16, **SMALL
    ),
    "A2C, discrete": lambda: A2C("MlpPolicy", "metarl/GridNavi-v0", **SMALL),
    "DQN, discrete": lambda: DQN("MlpPolicy", "metarl/CartPole-v0", learning_starts=8, **SMALL),
    "SAC, box": lambda: SAC("MlpPolicy", "metarl/Pendulum-v0", learning_starts=8, **SMALL),
    "TD3, box": lambda: TD3("MlpPolicy", "metarl/Pendulum-v0", learning_starts=8, **SMALL),
    "RecurrentPPO, discrete": lambda: recurrent(env="metarl/RandomMDP-v0"),
    "RecurrentPPO, box": lambda: recurrent(env="metarl/PointNavigation-v0"),
}


@pytest.fixture(scope="module", params=[*MODELS])
def model(request):
    made = MODELS[request.param]()
    made.learn(16)
    return made


# As ML1, and slow
@pytest.mark.parametrize(
    "id", [id for id in playable_ids() if id not in ("MetaWorldML10-v0", "MetaWorldML45-v0")]
)
@pytest.mark.filterwarnings(
    "ignore:.*We recommend you to use a symmetric and normalized Box action space"
)
def test_every_family_passes_the_librarys_own_check(id):
    env = gym.make(f"metarl/{id}", episodes=2, render_mode="rgb_array")
    check_env(env.unwrapped, warn=True)
    env.close()


def test_vectors_of_environments_are_made_from_an_id():
    envs = make_vec_env(
        "metarl/BernoulliBandit-v0", n_envs=3, seed=0, env_kwargs={"arms": 3, "episodes": 4}
    )
    assert envs.reset().shape == (3, 6)
    assert [envs.step(np.zeros(3, int))[2].any() for _ in range(4)] == [False, False, False, True]


SCRIPT = """
import metarl
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv
from tests.own_things import MyBandit

metarl.register("MyBandit-v0", MyBandit)

if __name__ == "__main__":
    envs = make_vec_env("metarl/MyBandit-v0", 2, vec_env_cls=SubprocVecEnv)
    print(envs.reset().shape)
    envs.close()
"""


def test_environments_in_processes_know_what_the_script_registers(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], capture_output=True, text=True, env=environment
    )
    assert done.stdout == "(2, 6)\n", done.stderr


def actions_of(agent, model, steps, seed=0):
    """Play meta-episodes through the way out by the library's own predict.

    Returns (its actions, the agent's for the very same steps).
    """
    env = model.get_env().unwrapped.envs[0].unwrapped
    inner = env._rows.env
    theirs = []
    ours = []
    seen = []

    def noting(method):
        def call(*arguments):
            found = method(*arguments)
            seen.append(found[0] if type(found) is tuple else found)
            return found

        return call

    inner.reset = noting(inner.reset)
    inner.step = noting(inner.step)
    try:
        observation = env.reset(seed=seed)[0]
        memory = None
        start = True
        state = agent.initial_state(1)
        for _ in range(steps):
            action, memory = model.predict(
                observation, memory, np.array([start]), deterministic=True
            )
            own, state = agent.act(seen[-1], state, torch_generator(0))
            theirs.append(np.asarray(action))
            ours.append(own[0].numpy())
            observation, _, terminated, truncated, _ = env.step(action)
            start = terminated or truncated
            if start:
                observation, _ = env.reset()
    finally:
        del inner.reset, inner.step
    return np.stack(theirs), np.stack(ours)


def test_an_agent_acts_as_its_model_does_step_for_step(model):
    """Over ends of episodes and of meta-episodes.

    Observations, memory and its start, bounds of actions.
    """
    theirs, ours = actions_of(from_sb3(model), model, 60)
    assert np.allclose(theirs, ours, atol=1e-5)


def test_an_agent_scores_as_its_model_does_in_the_librarys_own_loop():
    model = PPO(
        "MlpPolicy",
        vec_env("BernoulliBandit-v0", 32, 10, seed=0),
        n_steps=20,
        batch_size=160,
        learning_rate=3e-3,
        **SMALL,
    )
    model.learn(32 * 20 * 3)
    agent = from_sb3(model)
    count = 1500
    ours = metarl.evaluate(agent, "BernoulliBandit-v0", "test", count, 0, 10).scores()
    theirs, _ = evaluate_policy(
        model,
        vec_env("BernoulliBandit-v0", 100, 10, "test", seed=1),
        count,
        return_episode_rewards=True,
    )
    noise = np.sqrt(np.var(ours) / count + np.var(theirs) / count)
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * noise


def test_drawn_actions_follow_the_models_distribution_and_our_generator(model):
    if isinstance(model, TD3):
        with pytest.raises(
            ValueError, match="gives no distribution to draw actions from: use deterministic=True"
        ):
            from_sb3(model, deterministic=False)
        return
    agent = from_sb3(model, deterministic=False)
    rows = 4000
    env = metarl.MetaEpisodeEnv(
        model.get_env().get_attr("distribution")[0], 2, 1, torch_generator(0)
    )
    one = env.reset(lambda r, c: env.distribution.sample(1, "train", 0))
    step = type(one)(*(part.expand(rows, *part.shape[1:]).contiguous() for part in one))
    before = torch.get_rng_state(), global_numpy_state()
    drawn, again, others = (
        agent.act(step, agent.initial_state(rows), torch_generator(seed))[0] for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(global_numpy_state(), before[1])
    assert torch.equal(drawn, again)
    assert not torch.equal(drawn, others)
    observation = agent.features(
        step.observation,
        step.prev_action,
        step.prev_reward,
        step.episode_start,
        step.meta_episode_start,
    )
    torch.manual_seed(0)
    if hasattr(model.policy, "lstm_actor"):
        theirs, _ = model.policy.predict(observation, None, np.ones(rows), deterministic=False)
    elif isinstance(model, DQN):
        theirs = np.concatenate(
            [model.predict(observation[:1], deterministic=False)[0] for _ in range(rows)]
        )
    else:
        theirs, _ = model.policy.predict(observation, deterministic=False)
    ours = drawn.numpy().astype(float).reshape(rows, -1)
    theirs = theirs.astype(float).reshape(rows, -1)
    for moment in (1, 2):
        noise = np.sqrt((np.var(ours**moment, 0) + np.var(theirs**moment, 0)) / rows) + 1e-6
        assert (np.abs((ours**moment).mean(0) - (theirs**moment).mean(0)) < 5 * noise).all()


def test_statistics_of_vec_normalize_are_the_models_and_stay_as_they_were():
    envs = VecNormalize(vec_env("PointNavigation-v0", 8, 2, seed=0))
    model = PPO("MlpPolicy", envs, n_steps=16, batch_size=16, **SMALL)
    model.learn(8 * 16)
    agents = {
        "found": from_sb3(model),
        "given": from_sb3(model, "PointNavigation-v0", normalise=envs),
    }
    vectors = (
        np.random.default_rng(0).normal(size=(4, *envs.observation_space.shape)).astype(np.float32)
    )
    wanted = envs.normalize_obs(vectors)
    model.learn(8 * 16)
    for agent in agents.values():
        assert np.allclose(agent._normalised(vectors), wanted, atol=1e-6)
    assert not np.allclose(envs.normalize_obs(vectors), wanted)
    assert metarl.evaluate(agents["found"], "PointNavigation-v0", "test", 3, 0, 2).num_tasks == 3


def test_a_models_training_leaves_its_agent_alone():
    model = MODELS["PPO, box"]()
    agent = from_sb3(model)
    before = [weight.clone() for weight in agent.policy.parameters()]
    model.learn(32)
    assert all(
        torch.equal(one, other)
        for one, other in zip(before, agent.policy.parameters(), strict=True)
    )
    assert not all(
        torch.equal(one, other)
        for one, other in zip(before, model.policy.parameters(), strict=True)
    )


def test_a_loaded_model_is_told_what_it_plays(tmp_path):
    model = MODELS["PPO, discrete"]()
    model.save(tmp_path / "model")
    loaded = PPO.load(tmp_path / "model", device="cpu")
    with pytest.raises(
        ValueError,
        match=(
            r'has no environment, as loaded ones don.t: say what it plays, from_sb3\(model, "Bern'
        ),
    ):
        from_sb3(loaded)
    one, other = (
        metarl.evaluate(from_sb3(each, "BernoulliBandit-v0"), "BernoulliBandit-v0", "test", 20, 0)
        for each in (model, loaded)
    )
    assert one.returns.tolist() == other.returns.tolist()
    assert "PPO of Stable-Baselines3" in repr(from_sb3(model))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: from_sb3(PPO), "A model of Stable-Baselines3 is needed, .* not the class PPO"),
        (lambda: from_sb3("model.zip"), "is needed, .* not 'model.zip'"),
        (
            lambda: from_sb3(MODELS["PPO, discrete"](), "CartPole-v0"),
            r"has the actions Discrete\(5\); .* has Discrete\(2\)",
        ),
        (
            lambda: from_sb3(PPO("MlpPolicy", "CartPole-v1", device="cpu")),
            "an environment that isn't metarl's: say what it plays",
        ),
        (
            lambda: from_sb3(PPO("MlpPolicy", "CartPole-v1", device="cpu"), "CartPole-v0"),
            r"reads Box\(4,\) .* Train it on gymnasium.make",
        ),
        (
            lambda: from_sb3(MODELS["PPO, discrete"](), normalise=3),
            "must be the VecNormalize .* not 3",
        ),
        (
            lambda: from_sb3(
                PPO("MlpPolicy", "metarl/Pendulum-v0", use_sde=True, device="cpu"),
                deterministic=False,
            ),
            "noise of use_sde",
        ),
        (
            lambda: metarl.evaluate(MODELS["PPO, discrete"](), "BernoulliBandit-v0", "test", 2, 0),
            r"becomes one by metarl.from_sb3\(model\)",
        ),
        (lambda: vec_env("BernoulliBandit-v0", 0), "num_envs must be at least 1, not 0"),
        (lambda: vec_env("BernoulliBandit-v0", 2, split="none"), "has no split 'none'"),
        (
            lambda: vec_env("BernoulliBandit-v0", 2, 3, episodes=3),
            "one of episodes, steps and budget",
        ),
        (lambda: vec_env("BernoulliBandit-v0", 2, episodes="3"), "must be a whole number, not '3'"),
        (
            lambda: vec_env("BernoulliBandit-v0", 2, seed="a"),
            "seed must be a whole number, not 'a'",
        ),
    ],
)
def test_what_cannot_be_used_gets_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize(
    ("budget", "truncated"), [(metarl.Episodes(3), False), (metarl.Steps(3), True)]
)
def test_a_vec_env_gives_what_the_vector_environment_gives(budget, truncated):
    envs = vec_env("RandomMDP-v0", 4, budget, seed=5)
    rows = MetaEpisodeVector("RandomMDP-v0", budget, num_envs=4, batched=True)
    observation, _ = rows.reset(seed=5)
    assert np.array_equal(envs.reset(), observation)
    ended = 0
    for t in range(40):
        action = np.full(4, t % 5)
        shown, reward, done, infos = envs.step(action)
        observation, wanted, over, cut, info = rows.step(action)
        assert np.array_equal(shown, observation)
        assert np.allclose(reward, wanted)
        assert np.array_equal(done, over | cut)
        for row in np.flatnonzero(done):
            ended += 1
            assert np.array_equal(infos[row]["terminal_observation"], info["final_obs"][row])
            assert infos[row]["TimeLimit.truncated"] is truncated
            assert infos[row]["inner_truncated"]
            assert infos[row]["episode"]["l"] == rows._rows.env.max_steps
    assert ended


def test_pictures_of_a_vec_env():
    envs = vec_env("GridMaze-v0", 2, 1, seed=0)
    envs.reset()
    assert [picture.ndim for picture in envs.get_images()] == [3, 3]
    assert vec_env("BernoulliBandit-v0", 2, 1).render_mode is None
    with pytest.raises(ValueError, match="no row has a method jump of its own"):
        envs.env_method("jump")


def test_meta_episodes_may_be_told_by_episodes_or_steps():
    assert vec_env("BernoulliBandit-v0", 2, episodes=3).num_envs == 2
    assert vec_env("BernoulliBandit-v0", 2, steps=3).num_envs == 2
