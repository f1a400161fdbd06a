import json
import string
from dataclasses import dataclass, field, make_dataclass
from inspect import signature
from typing import Literal

import pytest

from metarl.learners.initialisation.reptile import ReptileConfig
from metarl.learners.memory.rl2 import RL2Config
from metarl.learners.policy_gradient.ppo import PPOConfig
from metarl.networks.image_network import ImageNetworkConfig
from metarl.networks.policies.policy import NetworkConfig
from metarl.runs.config import RunConfig, config_from_json, folder_name, parse_arguments
from metarl.runs.store import RunFolder
from metarl.tasks.mazes.grid_maze import GridMaze
from tests.runs.tiny_learner import Part


@dataclass(frozen=True)
class Varied:
    pair: tuple[int, float] = (1, 2.0)
    many: tuple[Part, ...] = (Part(), Part(shape=(1,)))
    either: int | Part | None = None
    choice: Literal["a", "b"] | float = "a"
    rate: float = 1.0
    nested: Part = field(default_factory=Part)


@pytest.mark.parametrize(
    "config",
    [Varied(), Varied(either=3, choice=0.5), Varied(either=Part(lr=2.0), pair=(4, 5.5), many=())],
)
def test_configs_come_back_from_json(config, tmp_path):
    from dataclasses import asdict

    again = config_from_json(Varied, json.loads(json.dumps(asdict(config))))
    assert again == config
    assert type(again.rate) is float


def test_fields_of_another_version_are_named():
    with pytest.raises(ValueError, match="Part has no field colour; use the version"):
        config_from_json(Part, {"lr": 1.0, "colour": "red"})


def test_a_run_comes_back_from_its_folder(tmp_path):
    config = RL2Config(episodes=3, network=NetworkConfig(core="lstm", hidden_size=8))
    run = RunConfig("rl2", config, "RandomMDP-v0", {"states": 4, "reward_noise": 0.5}, (1, 2))
    with RunFolder(tmp_path).lock():
        RunFolder(tmp_path).adopt(run.identity())
    again = RunConfig.from_identity(RunFolder(tmp_path).identity)
    assert again.config == config
    assert again.seed == (1, 2)
    assert repr(again.make_distribution()) == repr(run.make_distribution())
    assert again.arguments["horizon"] == 10  # defaults are written down too
    assert again.identity() == run.identity()


def test_arguments_are_json_or_text():
    given = (
        "arms=5",
        "noise=0.5",
        "flat=true",
        "other=False",
        'name="5"',
        "kind=plain",
        "list=[1, 2]",
        "text=a=b",
    )
    assert parse_arguments(given) == {
        "arms": 5,
        "noise": 0.5,
        "flat": True,
        "other": False,
        "name": "5",
        "kind": "plain",
        "list": [1, 2],
        "text": "a=b",
    }


@pytest.mark.parametrize("argument", ["arms", "=5", "5=arms", "--arms=5"])
def test_arguments_without_a_name_or_value_are_refused(argument):
    with pytest.raises(ValueError, match="as NAME=VALUE, such as arms=5, not as"):
        parse_arguments((argument,))


def test_settings_that_dont_belong_are_refused(tiny):
    with pytest.raises(ValueError, match="configured by TinyConfig, not by RL2Config"):
        RunConfig("tiny", RL2Config())
    with pytest.raises(ValueError, match="at least one seed"):
        RunConfig("tiny", seed=())
    with pytest.raises(ValueError, match="repeat"):
        RunConfig("tiny", seed=(1, 1))


def named(*arguments, config=None, distribution="GridMaze-v0", **more):
    return folder_name(RunConfig("rl2", config, distribution, parse_arguments(arguments), **more))


def test_a_folders_name_tells_settings_apart():
    assert named() == "rl2-GridMaze-v0-seed0"
    assert named(seed=(1, 2), device="cuda") == "rl2-GridMaze-v0-seed1+2"
    assert named(config=RL2Config(iterations=7)) == named()
    assert named("size=7") == "rl2-GridMaze-v0-size=7-seed0"
    assert named("size=7", "horizon=9") == named("horizon=9", "size=7")
    assert (
        named("size=7", distribution="GridMaze-v0/revealed")
        == "rl2-GridMaze-v0_revealed-size=7-seed0"
    )
    config = RL2Config(episodes=2, network=NetworkConfig(hidden_size=8), ppo=PPOConfig(lr=1.0))
    assert named(config=config) == "rl2-GridMaze-v0-episodes=2-network.hidden_size=8-ppo.lr=1-seed0"
    assert folder_name(RunConfig("rl2", config, "GridMaze-v0"), usual=config) == named()


def test_arguments_at_their_default_name_the_same_folder_as_when_left_out():
    usual = signature(GridMaze).parameters
    given = [
        f"{name}={json.dumps(each.default)}"
        for name, each in usual.items()
        if isinstance(each.default, int | float)
    ]
    assert given
    assert named(*given) == named()


def test_names_that_are_long_or_hold_other_signs_stay_apart_and_short():
    folders = [{"folder": f"/{sign}{'x' * length}"} for sign in "/_ :é" for length in (3, 300)]
    names = {
        folder_name(RunConfig("reptile", None, "ImageClassification-v0", each)) for each in folders
    }
    names.add(folder_name(RunConfig("rl2", None, seed=tuple(range(1000)))))
    assert len(names) == len(folders) + 1
    assert all(
        len(name) < 250 and set(name) <= set(string.ascii_letters + string.digits + "._=+-")
        for name in names
    )


def test_a_setting_that_is_added_later_renames_nothing(tiny, monkeypatch):
    config = tiny(hidden_size=8)
    before = folder_name(RunConfig("tiny", config))
    longer = make_dataclass("Longer", [("further", float, 0.5)], bases=(tiny,), frozen=True)
    monkeypatch.setattr("tests.runs.tiny_learner.TinyLearner.Config", longer)
    assert folder_name(RunConfig("tiny", longer(hidden_size=8))) == before
    assert folder_name(RunConfig("tiny", longer(hidden_size=8, further=0.25))) != before


def test_nested_settings_of_another_kind_are_told():
    network = ImageNetworkConfig(filters=4)
    name = folder_name(
        RunConfig("reptile", ReptileConfig(network=network), "GlyphClassification-v0")
    )
    assert "network=ImageNetworkConfig-network.filters=4" in name


def test_values_are_read_as_json_and_a_home_folder_in_its_place(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    read = parse_arguments(
        (
            "a=5",
            "b=0.5",
            "c=true",
            "d=None",
            "e=text",
            "f=~/images",
            "g=NaN",
            "h=-Infinity",
            "i=[1, 2]",
        )
    )
    assert list(read.values()) == [
        5,
        0.5,
        True,
        None,
        "text",
        "/home/me/images",
        "NaN",
        "-Infinity",
        [1, 2],
    ]
    with pytest.raises(ValueError, match="argument a is given twice: 5 and 6"):
        parse_arguments(("a=5", "a=6"))
