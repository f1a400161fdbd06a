"""The benchmark of randomised physics.

Three policies, two splits, a probe, with trainings of a moment.
"""

import io
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from benchmarks.randomised_physics import memory as randomised_physics
from benchmarks.randomised_physics import runs as physics_runs

RL2 = "RL², with memory"


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    for name, family in physics_runs.FAMILIES.items():
        config = replace(family.config, num_envs=8, iterations=1)
        monkeypatch.setitem(
            physics_runs.FAMILIES,
            name,
            replace(family, config=config, arguments={**family.arguments, "horizon": 12}),
        )


def run(tmp_path, publish=False, **more):
    options = randomised_physics.Options(
        ("cart-pole",),
        20,
        publish=publish,
        runs=tmp_path / "runs",
        results=tmp_path / "results",
        **more,
    )
    stream = io.StringIO()
    randomised_physics.main(options, Console(file=stream, width=160))
    return (
        options,
        stream.getvalue(),
        pd.read_csv(options.folder / "figures.csv").set_index("figure"),
    )


def test_returns_by_episode_leads_and_the_probe(tmp_path):
    options, printed, figures = run(tmp_path, publish=True)
    table = pd.read_csv(options.folder / "cart-pole.csv")
    assert len(table) == 2 * 4 * 2  # splits, policies and one with its memory emptied, episodes
    totals = table.groupby(["split", "policy"])["return"].sum()
    for split in ("test", "extrapolate"):
        name = (
            f"cart-pole, {split}: mean return of a meta-episode, RL², with memory minus without"
            " memory, paired"
        )
        lead = totals[split, "RL², with memory"] - totals[split, "without memory"]
        assert figures.loc[name, "value"] == pytest.approx(lead, abs=0.01)
        returns = table[table["split"] == split].set_index(["policy", "episode"])["return"]
        for name, change in (
            (
                "mean return of RL², episode 2 minus episode 1, paired",
                returns[RL2, 2] - returns[RL2, 1],
            ),
            (
                (
                    "mean return of an episode after the first, RL² with its memory kept minus"
                    " emptied between episodes, paired"
                ),
                returns[RL2, 2] - returns[randomised_physics.EMPTIED, 2],
            ),
        ):
            assert figures.loc[f"cart-pole, {split}: {name}", "value"] == pytest.approx(
                change, abs=0.01
            )
            assert name in printed
        assert returns[RL2, 1] == returns[randomised_physics.EMPTIED, 1], (
            "only later episodes are without memory"
        )
    for name in ("test", "extrapolate", "probe"):
        assert (options.folder / f"cart-pole-{name}.png").stat().st_size > 0
    assert "told the physics" in printed
    assert (
        tmp_path / "results/randomised_physics/weights/cart-pole-told/weights.safetensors"
    ).exists()


def test_the_probe_reads_direction_and_strength_apart_and_only_what_is_played(tmp_path):
    options, _, _ = run(tmp_path)
    probed = pd.read_csv(options.folder / "cart-pole-probe.csv")
    assert {"force, direction", "force, strength", "force", "length", "gravity"} <= set(
        probed["parameter"]
    )
    assert set(probed[probed["parameter"] == "force"]["network"]) == {
        "trained",
        "never trained",
        "the true direction alone",
    }
    assert set(probed[probed["parameter"] == "length"]["network"]) == {"trained", "never trained"}
    assert (probed["r2"].dropna() <= 1).all()
    playing = probed.groupby("step")["num_tasks"].unique()
    assert all(len(each) == 1 for each in playing), "all networks read the same tasks"
    assert playing[0] == 40
    assert probed["num_tasks"].min() >= 4


def test_what_is_not_trained_is_missing(tmp_path):
    _, _, figures = run(tmp_path, train=False)
    assert len(figures) == 8
    assert figures["value"].isna().all()


def test_an_unknown_family_gets_a_sentence():
    with pytest.raises(ValueError, match="no family 'carts'"):
        randomised_physics.Options(("carts",))
