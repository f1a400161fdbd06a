"""The benchmark of policies that adapt, with trainings of a moment.

Stages, shares of the gap, figures, what is missing.
"""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.maml_rl import initialisation_rl
from benchmarks.maml_rl import runs as adaptation_runs
from metarl.learners.memory.rl2 import RL2Config


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    for name, family in adaptation_runs.FAMILIES.items():
        plans = {}
        for label, plan in family.plans.items():
            small = {"num_envs": 8} if isinstance(plan.config, RL2Config) else {"tasks": 2}
            if not isinstance(plan.config, RL2Config):
                small["adaptation"] = replace(plan.config.adaptation, episodes=2)
            plans[label] = replace(plan, config=replace(plan.config, iterations=1, **small))
        arguments = {"horizon": 8} if name == "point-navigation" else family.arguments
        monkeypatch.setitem(
            adaptation_runs.FAMILIES, name, replace(family, plans=plans, arguments=arguments)
        )


def run(tmp_path, *families, publish=False, **more):
    options = initialisation_rl.Options(
        families,
        num_tasks=6,
        publish=publish,
        runs=tmp_path / "runs",
        results=tmp_path / "results",
        **more,
    )
    stream = io.StringIO()
    initialisation_rl.main(options, Console(file=stream, width=160))
    return (
        options,
        stream.getvalue(),
        pd.read_csv(options.folder / "figures.csv").set_index("figure"),
    )


def test_stages_of_every_learner_and_the_share_of_the_gap(tmp_path):
    options, printed, figures = run(tmp_path, "point-navigation", publish=True)
    table = pd.read_csv(options.folder / "point-navigation.csv")
    maml = table[table.agent == "MAML, TRPO"].set_index("stage")
    assert maml.episodes_before.tolist() == [0, 2, 4, 6]
    assert (maml.steps_before.diff().iloc[1:].between(2, 2 * 8)).all()
    assert len(table[table.agent == "RL²"]) == 4
    goal = table[table.agent == "Known goal"]["return"].item()
    share = (maml.loc[3, "return"] - maml.loc[0, "return"]) / (goal - maml.loc[0, "return"])
    name = (
        "point-navigation, MAML, TRPO: share of the gap from unadapted to known goal that 3 updates"
        " close"
    )
    assert figures.loc[name, "value"] == pytest.approx(share, abs=1e-3)
    assert figures.loc[name, "wanted"] == ">= 0.8"
    assert not figures.loc[name, "reached"]
    with np.load(options.folder / "point-navigation.npz") as episodes:
        assert episodes["MAML, TRPO/return"].shape == (1, 6, 8)
        assert episodes["MAML, TRPO/return"][0, :, -2:].mean() == pytest.approx(
            maml.loc[3, "return"], abs=1e-3
        )
    assert (options.folder / "point-navigation.png").stat().st_size > 10_000
    assert "Joint training, fine-tuned" in printed
    assert (
        tmp_path
        / "results/initialisation_rl/weights/point-navigation/maml-trpo-seed0/weights.safetensors"
    ).exists()


def test_robots_are_compared_with_joint_training(tmp_path):
    _, _, figures = run(
        tmp_path, "half-cheetah-direction", learners=("MAML, TRPO", "Joint training, fine-tuned")
    )
    assert figures["value"].notna().all()
    assert (
        "half-cheetah-direction, MAML, TRPO minus joint training with fine-tuning, return after 1"
        " updates, paired" in figures.index
    )


def test_what_is_not_trained_is_missing(tmp_path):
    _, _, figures = run(tmp_path, "point-navigation", train=False)
    assert figures["value"].isna().all()
    assert len(figures) == 13


def test_unknown_names_get_a_sentence():
    with pytest.raises(ValueError, match="no family 'plane'"):
        initialisation_rl.Options(("plane",))
    with pytest.raises(ValueError, match="no learner 'MAML'"):
        initialisation_rl.Options(learners=("MAML",))
