"""The benchmark of randomised physics: three policies, two splits, a probe, with trainings of a moment."""

import io
from dataclasses import replace

import pandas as pd
import pytest
import randomised_physics
from rich.console import Console

from metarl.experiments import physics_runs


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    for name, family in physics_runs.FAMILIES.items():
        config = replace(family.config, num_envs=8, iterations=1)
        monkeypatch.setitem(physics_runs.FAMILIES, name, replace(family, config=config, arguments={**family.arguments, "horizon": 12}))


def run(tmp_path, **more):
    options = randomised_physics.Options(("cart-pole",), 20, runs=tmp_path / "runs", results=tmp_path / "results", **more)
    stream = io.StringIO()
    randomised_physics.main(options, Console(file=stream, width=160))
    return options, stream.getvalue(), pd.read_csv(options.folder / "figures.csv").set_index("figure")


def test_returns_by_episode_leads_and_the_probe(tmp_path):
    options, printed, figures = run(tmp_path, publish=True)
    table = pd.read_csv(options.folder / "cart-pole.csv")
    assert len(table) == 2 * 3 * 2  # splits, policies, episodes
    totals = table.groupby(["split", "policy"])["return"].sum()
    for split in ("test", "extrapolate"):
        name = f"cart-pole, {split}: mean return of a meta-episode, RL², with memory minus without memory, paired"
        lead = totals[split, "RL², with memory"] - totals[split, "without memory"]
        assert figures.loc[name, "value"] == pytest.approx(lead, abs=0.01)
    probed = pd.read_csv(options.folder / "cart-pole-probe.csv")
    assert set(probed["network"]) == {"trained", "never trained"}
    assert {"force", "length", "gravity"} <= set(probed["parameter"])
    assert (probed["r2"] <= 1).all()
    for name in ("test", "extrapolate", "probe"):
        assert (options.folder / f"cart-pole-{name}.png").stat().st_size > 0
    assert "told the physics" in printed
    assert (tmp_path / "results/randomised_physics/weights/cart-pole-told/weights.safetensors").exists()


def test_what_is_not_trained_is_missing(tmp_path):
    _, _, figures = run(tmp_path, train=False)
    assert len(figures) == 4
    assert figures["value"].isna().all()


def test_an_unknown_family_gets_a_sentence():
    with pytest.raises(ValueError, match="no family 'carts'"):
        randomised_physics.Options(("carts",))
