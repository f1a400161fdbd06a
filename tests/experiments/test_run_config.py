from dataclasses import dataclass, field
from typing import Literal

import pytest

from metarl.experiments.run_config import RunConfig, config_from_json, parse_arguments
from metarl.learners.rl2 import RL2Config
from metarl.networks.policy import NetworkConfig
from metarl.results import RunFolder
from tests.experiments.tiny_learner import Part


@dataclass(frozen=True)
class Varied:
    pair: tuple[int, float] = (1, 2.0)
    many: tuple[Part, ...] = (Part(), Part(shape=(1,)))
    either: int | Part | None = None
    choice: Literal["a", "b"] | float = "a"
    rate: float = 1.0
    nested: Part = field(default_factory=Part)


@pytest.mark.parametrize("config", [Varied(), Varied(either=3, choice=0.5), Varied(either=Part(lr=2.0), pair=(4, 5.5), many=())])
def test_configs_come_back_from_json(config, tmp_path):
    import json
    from dataclasses import asdict

    again = config_from_json(Varied, json.loads(json.dumps(asdict(config))))
    assert again == config
    assert type(again.rate) is float


def test_fields_of_another_version_are_named():
    with pytest.raises(ValueError, match="Part has no field colour; use the version"):
        config_from_json(Part, {"lr": 1.0, "colour": "red"})


def test_a_run_comes_back_from_its_folder(tmp_path):
    config = RL2Config(episodes=3, network=NetworkConfig(core="lstm", units=8))
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
    given = ("arms=5", "noise=0.5", "flat=true", "other=False", 'name="5"', "kind=plain", "list=[1, 2]", "text=a=b")
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
