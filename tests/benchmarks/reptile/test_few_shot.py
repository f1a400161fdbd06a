"""The benchmark of few-shot classification.

Every learner, both ways of scoring, tables and figures, with trainings of a moment.
"""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.reptile import few_shot
from benchmarks.reptile import runs as few_shot_runs
from metarl.networks.image_network import ImageNetworkConfig
from tests.tasks.made_folders import flat


@pytest.fixture(autouse=True)
def moments(monkeypatch):
    monkeypatch.setattr(
        few_shot_runs, "NETWORKS", dict.fromkeys(few_shot_runs.DATA, ImageNetworkConfig(4))
    )
    monkeypatch.setattr(few_shot_runs, "MAML_STEPS", 2)
    for name in ("REPTILE", "MAMLS"):
        short = {"iterations": 1} | ({"eval_steps": 3} if name == "REPTILE" else {})
        commands = {
            key: replace(command, **short) for key, command in getattr(few_shot_runs, name).items()
        }
        monkeypatch.setattr(few_shot_runs, name, commands)


def run(tmp_path, publish=False, **more):
    options = few_shot.Options(
        publish=publish,
        runs=tmp_path / "runs",
        results=tmp_path / "results",
        **{"num_tasks": 12, **more},
    )
    stream = io.StringIO()
    few_shot.main(options, Console(file=stream, width=160))
    return options, stream.getvalue()


def test_table_figures_accuracies_and_weights(tmp_path):
    options, printed = run(tmp_path, publish=True)
    table = pd.read_csv(options.folder / "table.csv")
    assert len(table) == 2 * 4 * 2  # settings, learners, transductive or not
    assert table["accuracy"].between(0, 1).all()
    assert set(table["fingerprint"].groupby(table["shots"]).nunique()) == {1}, (
        "all on the same tasks"
    )
    cell = table[(table["shots"] == 1) & (table["algorithm"] == "Reptile") & table["transductive"]]
    assert cell["paper_accuracy"].item() == 97.68
    assert table[table["algorithm"] == "Joint training"]["paper_accuracy"].isna().all()
    assert "97.68 ± 0.04" in printed
    figures = pd.read_csv(options.folder / "figures.csv").set_index("figure")
    value = figures.loc["glyphs, 1-shot 5-way, Reptile, transductive: accuracy", "value"]
    assert float(value) == pytest.approx(cell["accuracy"].item(), abs=1e-3)
    with np.load(options.folder / "glyphs-1-shot-5-way.npz") as kept:
        assert kept["reptile-transductive"].mean() / 5 == pytest.approx(
            cell["accuracy"].item(), abs=1e-3
        )
        assert {
            f"{learner}-{how}"
            for learner in few_shot_runs.LABELS
            for how in ("transductive", "alone")
        } <= set(kept)
    for setting in ("1-shot-5-way", "5-shot-5-way"):
        assert (options.folder / f"glyphs-{setting}.png").stat().st_size > 0
    for name in (
        "glyphs-5way-reptile",
        "glyphs-5way-joint",
        "glyphs-5way-1shot-maml",
        "glyphs-5way-5shot-fomaml",
    ):
        assert (tmp_path / "results/few_shot/weights" / name / "weights.safetensors").exists()
    before = table.set_index(["shots", "algorithm", "transductive"])["accuracy"]
    run(tmp_path, publish=True, learners=("maml",), train=False)
    after = pd.read_csv(options.folder / "table.csv").set_index(
        ["shots", "algorithm", "transductive"]
    )["accuracy"]
    assert after.sort_index().equals(before.sort_index()), (
        "one learner's lines take the place of its old ones"
    )


def test_what_is_not_trained_is_missing(tmp_path):
    options, _ = run(tmp_path, train=False)
    figures = pd.read_csv(options.folder / "figures.csv")
    assert figures["value"].isna().all()
    assert not (options.folder / "table.csv").exists()


def test_images_of_the_users_own(tmp_path):
    folder = flat(tmp_path / "images" / "train", 8, images=20).parent
    flat(folder / "test", 6, images=8, first=8)
    options, _ = run(
        tmp_path,
        preset="paper",
        data="miniimagenet",
        images=folder,
        learners=("reptile",),
        num_tasks=3,
    )
    table = pd.read_csv(options.folder / "table.csv")
    assert set(table["data"]) == {"miniimagenet"}
    assert table[(table["shots"] == 5) & table["transductive"]]["paper_accuracy"].item() == 65.99
    assert f"--images {folder}" in options.command(learners=("reptile",))


def test_bad_input_gets_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="There is no learner 'rl2' here"):
        few_shot.Options(learners=("rl2",))
    with pytest.raises(ValueError, match="there is nothing to publish"):
        few_shot.Options(preset="smoke", publish=True)
    with pytest.raises(ValueError, match="--images"):
        run(tmp_path, preset="paper")
