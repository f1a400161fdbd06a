"""Learners made in code, trained and saved in a folder.

The same runs as the command's where it could make them, else with parts named.
"""

import gymnasium as gym
import pytest
import torch

import metarl
from metarl.cli import main
from metarl.core import lookup as entries
from metarl.core.seeding import torch_generator
from metarl.learners.memory.rl2 import RL2, RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.learners.registry import LEARNERS, SUPERVISED_LEARNERS, learner_class
from metarl.networks.policies.build import build_policy
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolder, RunFolderError
from metarl.runs.training import save, train
from tests.own_things import MyBandit

CONFIG = RL2Config(
    episodes=3,
    num_envs=8,
    iterations=4,
    network=NetworkConfig(hidden_size=8),
    ppo=PPOConfig(minibatches=1),
)
ID = "BernoulliBandit-v0"


def fresh(distribution=ID, **changes):
    return RL2(CONFIG, distribution, **changes)


def after(learner, updates):
    for _ in range(updates):
        learner.update()
    return learner


def same(one, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(one.policy.parameters(), other.policy.parameters(), strict=True)
    )


@pytest.mark.parametrize("name", [*LEARNERS, *SUPERVISED_LEARNERS])
def test_every_learner_is_the_run_that_the_command_would_make(name):
    if "learn2learn" in name:
        pytest.importorskip("learn2learn")
    id = "SineRegression-v0" if name in SUPERVISED_LEARNERS else "CartPole-v0"
    config = learner_class(name).Config()
    assert (
        RunConfig.of(metarl.make_learner(name, id, config, seed=3)).identity()
        == RunConfig(name, config, id, seed=3).identity()
    )


def test_training_in_a_folder_is_the_commands_and_goes_on(tmp_path):
    in_memory = after(fresh(), 4)
    first = fresh()
    stop_after(first, 2)
    with pytest.raises(KeyboardInterrupt):
        metarl.train(first, tmp_path / "a", show=False)
    trained = metarl.train(fresh(), tmp_path / "a", show=False)
    assert same(trained, in_memory)
    assert len(RunFolder(tmp_path / "a").metrics) == 4
    # The very same run
    assert same(train(RunConfig("rl2", CONFIG), tmp_path / "a", show=False), trained)
    score = [
        metarl.evaluate(each, ID, "test", 20, 0, 3).returns.tolist()
        for each in (metarl.load_agent(tmp_path / "a"), trained)
    ]
    assert score[0] == score[1]


def stop_after(learner, updates):
    """Have Ctrl-C come in an update."""
    update = learner.update

    def interrupted():
        if learner.iteration + 1 == updates:
            import signal

            signal.raise_signal(signal.SIGINT)
        return update()

    learner.update = interrupted


@pytest.mark.parametrize("updates", [0, 2, 4])
def test_a_saved_learner_goes_on_as_if_nothing_had_been(updates, tmp_path):
    learner = after(fresh(), updates)
    in_memory = after(fresh(), 4)
    metarl.save(learner, tmp_path)
    loaded = metarl.load_learner(tmp_path)
    assert same(loaded, learner)
    assert same(metarl.train(fresh(), tmp_path, show=False), in_memory)
    assert RunFolder(tmp_path).metrics["iteration"].tolist() == list(range(max(updates, 1), 5))
    metarl.load_agent(tmp_path)


def test_a_learner_under_way_goes_on_from_where_it_stands(tmp_path):
    learner = metarl.train(after(fresh(), 2), tmp_path, show=False)
    assert same(learner, after(fresh(), 4))
    assert RunFolder(tmp_path).metrics["iteration"].tolist() == [2, 3, 4]


def test_later_stages_are_never_lost(tmp_path):
    save(after(fresh(), 3), tmp_path)
    save(after(fresh(), 3), tmp_path)
    for act in (
        lambda: save(after(fresh(), 2), tmp_path),
        lambda: metarl.train(after(fresh(), 2), tmp_path, show=False),
    ):
        with pytest.raises(ValueError, match="has 3 iterations of this run, the learner 2"):
            act()
    with pytest.raises(RunFolderError, match=r"holds another run: .*seeds"):
        save(fresh(seed=1), tmp_path)
    assert same(metarl.load_learner(tmp_path), after(fresh(), 3))


class Button(gym.Env):
    """One of two buttons pays."""

    observation_space = action_space = gym.spaces.Discrete(2)

    def __init__(self, button):
        self.button = button

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        return 0, float(action == self.button), True, False, {}


def buttons(id="Buttons-v0"):
    return metarl.GymnasiumDistribution(
        id, lambda button: Button(button), {"train": [0, 1], "test": [0, 1]}, horizon=1, finite=True
    )


def test_a_distribution_that_only_the_code_can_make_is_asked_for(tmp_path, capsys):
    trained = metarl.train(fresh(buttons()), tmp_path, show=False)
    assert RunFolder(tmp_path).description["own"] == ["distribution"]
    for use in (metarl.load_agent, metarl.load_learner):
        with pytest.raises(
            ValueError,
            match=(
                r"Buttons-v0, which only the code that made it .*load_agent\(folder, distribution="
            ),
        ):
            use(tmp_path)
        with pytest.raises(ValueError, match="The run trained on Buttons-v0, not on"):
            use(tmp_path, distribution=ID)
    with pytest.raises(SystemExit):
        main(["evaluate", str(tmp_path)])
    assert "which only the code that made it can make again" in capsys.readouterr().err
    for learner in (
        metarl.load_learner(tmp_path, distribution=buttons()),
        metarl.load_learner(tmp_path, learner=fresh(buttons())),
    ):
        assert same(learner, trained)
    assert (
        metarl.evaluate(
            metarl.load_agent(tmp_path, distribution=buttons()), buttons(), "test", 4, 0, 3
        ).num_tasks
        == 4
    )
    metarl.train(fresh(buttons()), tmp_path, show=False)  # finished: goes on with nothing


def test_a_distribution_that_others_can_find_needs_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(entries, "_added", {})
    metarl.train(fresh(MyBandit(3)), tmp_path / "imported", show=False)
    assert (
        RunFolder(tmp_path / "imported").description["distribution"] == "tests.own_things:MyBandit"
    )
    metarl.register("Buttons-v1", lambda: buttons("Buttons-v1"))
    metarl.train(fresh("Buttons-v1"), tmp_path / "registered", show=False)
    for name in ("imported", "registered"):
        assert "own" not in RunFolder(tmp_path / name).description
        metarl.load_agent(tmp_path / name)


def test_a_network_of_ones_own_is_asked_for(tmp_path):
    def own(**changes):
        small = NetworkConfig(hidden_size=4)
        return fresh(
            make_policy=lambda d, most: build_policy(d, small, most, torch_generator(0)), **changes
        )

    trained = metarl.train(own(), tmp_path, show=False)
    with pytest.raises(
        ValueError, match=r"was trained with make_policy, .*load_agent\(folder, learner="
    ):
        metarl.load_agent(tmp_path)
    assert same(metarl.load_learner(tmp_path, learner=own()), trained)
    with pytest.raises(
        ValueError, match="The run trained rl2 on BernoulliBandit-v0; the learner given is"
    ):
        metarl.load_agent(tmp_path, learner=fresh("CartPole-v0"))


class Silent:
    """A learner that tells nothing of itself."""

    def update(self): ...

    @property
    def finished(self): ...

    def agent(self, budget, seed_index=0): ...

    def weights(self, seed_index=0): ...

    def load_weights(self, weights): ...

    def state_dict(self): ...

    def load_state_dict(self, state): ...


@pytest.mark.parametrize(
    ("learner", "sentence"),
    [
        (RL2, "A learner is needed, .* not the class RL2"),
        ("rl2", "A learner is needed, .* not 'rl2'"),
        (None, "A learner is needed, .* not None"),
        (Silent(), "Silent lacks the attributes config, distribution, seeds, device"),
    ],
)
def test_what_is_no_learner_gets_a_sentence(learner, sentence, tmp_path):
    for act in (metarl.train, metarl.save):
        with pytest.raises(ValueError, match=sentence):
            act(learner, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_learners_class_that_nobody_finds_is_to_be_registered(tmp_path):
    class Hidden(RL2):
        """Defined within a function."""

    with pytest.raises(
        ValueError,
        match=(
            r'Nobody else can find the class Hidden: metarl.register\("my-learner", Hidden,'
            r' "learner"\)'
        ),
    ):
        metarl.train(Hidden(CONFIG, ID), tmp_path / "run", show=False)
