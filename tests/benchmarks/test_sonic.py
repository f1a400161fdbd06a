"""The benchmark of transfer: scores of levels, tables, figures, with trainings of a moment; the paper's scores beside Sonic's."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sonic
from rich.console import Console

import metarl
from metarl.envs.budget import Steps
from metarl.experiments import transfer_runs
from metarl.experiments.benchmark_folders import Storage
from metarl.experiments.level_scores import COLUMNS
from metarl.experiments.load import load_learner
from metarl.learners.ppo import PPOConfig
from metarl.tasks.sonic_levels import sonic_levels


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    ppo = PPOConfig(minibatches=2, epochs=1)
    small = replace(transfer_runs.COIN_RUN, **transfer_runs.SMALL, ppo=ppo, fine_tuning_steps=32, fine_tuning=ppo)
    game = replace(transfer_runs.GAMES["coin-run"], learners={"joint-ppo": small})
    game.arguments["horizon"] = 30
    monkeypatch.setitem(transfer_runs.GAMES, "coin-run", game)
    monkeypatch.setattr(transfer_runs, "COIN_RUN", small)
    monkeypatch.setitem(transfer_runs.SIZES, "cpu", {})
    yield
    del game.arguments["horizon"]


def run(tmp_path, publish=False, **more):
    settings = {"seeds": (0, 1), "levels": (0, 2), "steps": 80, "agents": ("PPO", "Joint PPO", "JERK"), **more}
    options = sonic.Options(storage=Storage(publish, tmp_path / "runs", tmp_path / "results"), **settings)
    stream = io.StringIO()
    sonic.main(options, Console(file=stream, width=200))
    return options, stream.getvalue()


def test_scores_tables_figures_and_weights(tmp_path):
    options, printed = run(tmp_path, publish=True)
    scores = pd.read_csv(options.folder / "scores.csv")
    assert scores.columns.tolist() == COLUMNS
    assert len(scores) == 3 * 2 * 2
    assert scores.groupby(["agent", "seed"])["level"].apply(list).map(len).eq(2).all()
    assert "mean over levels" in printed
    figures = pd.read_csv(options.folder / "figures.csv").set_index("figure")
    mean = figures.loc["coin-run, JERK: mean return of all episodes in 80 steps, test levels", "value"]
    assert float(mean) == pytest.approx(scores[scores["agent"] == "JERK"]["score"].mean(), abs=1e-3)
    lead = figures.loc["coin-run, Joint PPO minus PPO from scratch, 80 steps, paired by level and seed"]
    sides = [scores[scores["agent"] == label]["score"].mean() for label in ("Joint PPO", "PPO")]
    assert float(lead["value"]) == pytest.approx(sides[0] - sides[1], abs=1e-3)
    assert lead["n"] == 4
    lead = figures.loc["coin-run, Joint PPO minus PPO from scratch, 80 steps, paired by seed, mean over levels"]
    assert float(lead["value"]) == pytest.approx(sides[0] - sides[1], abs=1e-3)
    assert lead["n"] == 2
    with np.load(options.folder / "episodes.npz") as kept:
        first = scores[(scores["agent"] == "PPO") & (scores["seed"] == 1)].iloc[0]
        lengths, returns = (kept[f"PPO/{first['level']}/1/{name}"] for name in ("length", "return"))
    assert lengths.sum() == 80
    assert len(returns) == first["episodes"]
    assert (options.folder / "curves.png").stat().st_size > 0
    assert (tmp_path / "results/coin_run/weights/levels-200-seed0/weights.safetensors").exists()
    again, _ = run(tmp_path, publish=True, play=False)
    assert pd.read_csv(again.folder / "scores.csv").equals(scores), "what was published is kept"


def test_joint_weights_are_where_fine_tuning_begins(tmp_path):
    options, _ = run(tmp_path, agents=("Joint PPO",), levels=(0,), seeds=(0,))
    make = sonic.agent_maker("Joint PPO", options)
    agent = make(metarl.make("CoinRun-v0", levels=2, horizon=30), Steps(5), 0)
    weights = load_learner(options.places("joint-ppo")[0]).weights()["policy"]
    started = agent.make(0).weights()["policy"]
    assert all(np.array_equal(started[name], weights[name]) for name in weights)


@pytest.mark.parametrize("game", ["airstriker", "freeway"])
def test_emulators_are_trained_on_and_played_with_the_smoke_preset(tmp_path, game):
    options, _ = run(
        tmp_path, game=game, preset="smoke", agents=("Joint PPO", "Joint Rainbow", "Random"), levels=(1,), seeds=(0,), steps=40
    )
    scores = pd.read_csv(options.folder / "scores.csv")
    assert scores["agent"].tolist() == ["Joint PPO", "Joint Rainbow", "Random"]
    assert scores["steps"].eq(40).all()
    assert (tmp_path / f"runs/sonic/{game}-smoke-joint-rainbow-seed0/weights.safetensors").exists()


def test_without_roms_sonic_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="metarl retro import"):
        run(tmp_path, game="sonic", preset="paper")


def test_what_was_not_played_is_missing(tmp_path):
    options, _ = run(tmp_path, play=False)
    figures = pd.read_csv(options.folder / "figures.csv")
    assert len(figures) == 5
    assert figures["value"].isna().all()


def test_sonics_table_has_the_papers_and_the_contests_scores_beside():
    names = [f"{each.level.game} {each.level.state}" for each in sonic_levels() if each.split == "test"]
    lines = [
        {"game": "sonic", "split": "test", "agent": "Random", "level": name, "seed": 0, "steps": 200_000, "score": 100.0, "episodes": 1}
        for name in names
    ]
    scores = pd.DataFrame(lines).assign(success=0.0, fingerprint="", command="")
    table = sonic.level_table(scores, sonic.Options(game="sonic"))
    column = next(name for name in table.columns if name.startswith("JERK (paper"))
    assert "recalled" in column
    row = next(name for name in table.index if "GreenHillZone.Act2" in name)
    assert table.loc[row, column] == 3702.1
    assert table.loc["mean over levels", column] == 1904.0
    assert any("Dharmaraja (quoted; other levels)" in name for name in table.index)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"game": "pong"}, "no game 'pong' here"),
        ({"agents": ("DQN",)}, "no agent 'DQN' here"),
        ({"storage": Storage(publish=True), "split": "train"}, "Only scores of test levels"),
        ({"storage": Storage(publish=True), "preset": "smoke"}, "none of the preset smoke"),
        ({"game": "coin-run", "steps": 0}, "at least one step, not 0"),
        ({"game": "coin-run", "steps": -5}, "at least one step, not -5"),
    ],
)
def test_bad_options(settings, problem):
    with pytest.raises(ValueError, match=problem):
        sonic.Options(**settings)
