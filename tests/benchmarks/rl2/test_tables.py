"""The benchmark of RL²'s tables, end to end on few tasks.

What it writes, what it keeps, what it refuses.
"""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import metarl
from benchmarks.rl2 import rows as rl2_rows
from benchmarks.rl2 import runs as rl2_runs
from benchmarks.rl2 import tables as rl2_tables
from benchmarks.rl2.rows import Preset, parse_row
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import mean, median_over_seeds
from metarl.runs.config import RunConfig
from metarl.runs.store import RunFolder
from metarl.suites.score_arrays import write_scores

SLOW = ["UCRL2", "UCRL2, random ties", "UCRL2, prior mean 0"]
COLUMNS = [
    "n",
    "k",
    "agent",
    "mean",
    "ci_low",
    "ci_high",
    "optimum",
    "upper_bound",
    "paper",
    "num_tasks",
    "num_seeds",
    "seed_low",
    "seed_high",
    "fingerprint",
    "run",
]


@pytest.fixture(autouse=True)
def two_seeds(monkeypatch):
    monkeypatch.setitem(rl2_rows.PRESETS, "smoke", Preset(200, 20, 30, 20, seeds=(0, 1)))
    monkeypatch.setitem(rl2_rows.PRESETS, "cpu", Preset(200, 20, 30, 20, seeds=(0, 1)))


def compute(folder, publish=False, runs="runs", **options):
    stream = io.StringIO()
    where = {"publish": publish, "runs": folder / runs, "results": folder / "results"}
    chosen = rl2_tables.Options(**{"table": "bandits", "preset": "smoke", **where, **options})
    rl2_tables.main(chosen, Console(file=stream, width=160))
    return chosen, stream.getvalue()


def test_a_row_of_bandits_is_scored_written_and_printed(tmp_path):
    options, printed = compute(tmp_path, rows=("10,5",), agents=("random", "thompson", "rl2"))
    table = pd.read_csv(options.folder / "bandits.csv")
    assert table.columns.tolist() == COLUMNS
    assert table["agent"].tolist() == ["Random", "Thompson", "RL²"]
    row = parse_row("bandits", "10,5")
    played = evaluate(
        metarl.make_agent("thompson", row.distribution(), row.budget),
        row.distribution(),
        "test",
        200,
        rl2_tables.TEST_SEED,
        row.budget,
    )
    line = table.iloc[1]
    assert (line["mean"], line["ci_low"], line["ci_high"]) == pytest.approx(
        mean(played.scores())[:3], abs=1e-6
    )
    assert line["fingerprint"] == played.fingerprint
    assert table["optimum"].tolist() == pytest.approx([6.659988] * 3)
    assert table["upper_bound"].tolist() == pytest.approx(
        [row.distribution().relaxation(10)] * 3, abs=1e-6
    )
    assert table["paper"].tolist() == [5.0, 5.7, 6.7]
    assert table["num_seeds"].tolist() == [1, 1, 2]
    assert "5.7" in next(text for text in printed.splitlines() if "│ Thompson" in text)
    assert "optimum 6.660" in printed
    assert (options.folder / "bandits-n10-k5.png").read_bytes().startswith(b"\x89PNG")


def test_the_learners_figure_is_the_median_over_seeds_of_weights_on_disk(tmp_path):
    options, _ = compute(tmp_path, rows=("10,5",), agents=("rl2",))
    line = pd.read_csv(options.folder / "bandits.csv").iloc[0]
    row = parse_row("bandits", "10,5")
    folders = [
        tmp_path / "runs" / "rl2_tables" / "smoke" / row.name / f"seed{seed}" for seed in (0, 1)
    ]
    agents = [metarl.load_agent(folder) for folder in folders]
    scores = np.stack(
        [
            evaluate(
                agent, row.distribution(), "test", 200, rl2_tables.TEST_SEED, row.budget
            ).scores()
            for agent in agents
        ]
    )
    assert line["mean"] == pytest.approx(
        median_over_seeds(scores, np.random.default_rng(0)).value, abs=1e-6
    )
    assert line["run"] == folders[0].parent.as_posix()
    with np.load(options.folder / "totals" / "bandits-n10-k5.npz") as totals:
        assert totals["rl2"].dtype == np.uint8
        assert (totals["rl2"] == scores).all()
        assert str(totals["fingerprint"]) == line["fingerprint"]
    figures = pd.read_csv(options.folder / "figures.csv")
    assert figures["wanted"].tolist() == [">= 6.6"]
    assert not figures["reached"].item()
    assert (
        figures["command"].item()
        == "python benchmarks/rl2/tables.py --table bandits --rows 10,5 --preset smoke --agents rl2"
    )


def test_a_second_call_trains_nothing_and_changes_nothing(tmp_path):
    options, first = compute(tmp_path, rows=("10,5",), agents=("random", "rl2"))
    kept = [
        options.folder / "bandits.csv",
        *sorted((tmp_path / "runs" / "rl2_tables" / "smoke" / "bandits-n10-k5").rglob("weights*")),
    ]
    before = (
        [(file.read_bytes(), file.stat().st_mtime_ns) for file in kept[1:]],
        kept[0].read_bytes(),
    )
    _, second = compute(tmp_path, rows=("10,5",), agents=("random", "rl2"))
    assert (
        [(file.read_bytes(), file.stat().st_mtime_ns) for file in kept[1:]],
        kept[0].read_bytes(),
    ) == before
    assert first == second
    assert len(kept) == 3


def test_other_rows_and_agents_keep_their_lines(tmp_path):
    compute(tmp_path, rows=("10,50",), agents=("random",))
    compute(tmp_path, rows=("10,5",), agents=("bandit-greedy",))
    options, _ = compute(tmp_path, rows=("10,5",), agents=("random",))
    table = pd.read_csv(options.folder / "bandits.csv")
    assert list(zip(table["k"], table["agent"], strict=True)) == [
        (5, "Random"),
        (5, "Greedy"),
        (5, "Greedy, random ties"),
        (50, "Random"),
    ]
    with np.load(options.folder / "totals" / "bandits-n10-k5.npz") as totals:
        assert {"random", "bandit-greedy", "bandit-greedy-True"} < set(totals.files)


def test_cells_that_are_not_trained_are_empty(tmp_path):
    options, printed = compute(tmp_path, rows=("10,5",), agents=("random", "rl2"), train=False)
    line = pd.read_csv(options.folder / "bandits.csv").iloc[1]
    assert line["agent"] == "RL²"
    assert (
        line[["mean", "ci_low", "ci_high", "num_tasks", "num_seeds", "fingerprint", "run"]]
        .isna()
        .all()
    )
    assert line["paper"] == 6.7
    assert "not trained" in printed
    figure = pd.read_csv(options.folder / "figures.csv").iloc[0]
    assert figure["wanted"] == ">= 6.6"
    assert figure[["value", "ci_low", "ci_high", "reached"]].isna().all()


def test_a_row_is_scored_on_the_seeds_that_are_there(tmp_path):
    compute(tmp_path, rows=("10,5",), agents=("rl2",), seeds=(1,))
    options, _ = compute(tmp_path, rows=("10,5",), agents=("rl2",), train=False)
    assert pd.read_csv(options.folder / "bandits.csv")["num_seeds"].item() == 1


def test_longer_rows_start_with_the_weights_of_shorter_ones(tmp_path):
    options, _ = compute(tmp_path, table="mdps", rows=("25",), agents=("rl2",), seeds=(0,))
    runs = options.runs / "rl2_tables" / "smoke"
    assert sorted(path.name for path in runs.iterdir()) == ["mdps-n10", "mdps-n25", "tables"]
    start = RunConfig.from_identity(RunFolder(runs / "mdps-n25" / "seed0").identity).start
    assert (
        start == RunConfig.from_identity(RunFolder(runs / "mdps-n10" / "seed0").identity).origin()
    )


def test_free_parameters_are_searched_on_training_tasks_and_printed(tmp_path):
    options, printed = compute(tmp_path, rows=("10,5",), agents=("ucb1",))
    run = pd.read_csv(options.folder / "bandits.csv")["run"].item()
    assert run.startswith("ucb1(c=")
    assert f"UCB1: {run[5:-1]} is best on 30 training tasks" in printed


def test_mdps_have_no_k_and_known_models_reach_the_upper_bound(tmp_path):
    options, printed = compute(
        tmp_path, table="mdps", rows=("10",), agents=("random", "known-model", "mdp-greedy")
    )
    table = pd.read_csv(options.folder / "mdps.csv")
    assert table.columns.tolist() == [name for name in COLUMNS if name != "k"]
    known = table[table["agent"] == "Known model"].iloc[0]
    assert known["ci_low"] < known["upper_bound"] < known["ci_high"]
    assert table["optimum"].isna().all()
    assert table["upper_bound"].between(200, 240).all()
    assert "beats" not in printed
    with np.load(options.folder / "totals" / "mdps-n10.npz") as totals:
        assert totals["known-model"].dtype == np.float32
        assert totals["known-model"].mean() == pytest.approx(known["mean"], rel=1e-5)


def test_leads_are_paired_and_come_from_totals_on_disk(tmp_path):
    options = rl2_tables.Options("mdps", ("10",), "smoke", ("mdp-greedy",), runs=tmp_path)
    ground = rl2_tables.ground_of(parse_row("mdps", "10"), options)
    rl2_tables.record_lead(ground, options)  # no totals yet
    rng = np.random.default_rng(0)
    greedy = rng.normal(150, 25, 20)
    seeds = np.stack([greedy + 9, greedy + rng.normal(2, 1, 20), greedy - 9])
    file = rl2_tables.totals_file(ground.row, options)
    for key, scores in (
        ("mdp-greedy", greedy),
        ("mdp-greedy-random", greedy + 5),
        ("known-model", greedy + 50),
    ):
        write_scores(file, key, scores, ground.fingerprint, rl2_tables.TEST_SEED)
    rl2_tables.record_lead(ground, options)
    assert not (options.folder / "figures.csv").exists()  # RL² has none
    write_scores(file, "rl2", seeds, ground.fingerprint, rl2_tables.TEST_SEED)
    rl2_tables.record_lead(ground, options)
    best, first = pd.read_csv(options.folder / "figures.csv").to_dict("records")
    assert (
        best["figure"] == "RL² minus the best hand-designed agent, mdps n=10, paired, median seed"
    )
    assert first["figure"] == "RL² minus posterior-mean Greedy, mdps n=10, paired, median seed"
    assert [first[name] for name in ("value", "ci_low", "ci_high")] == pytest.approx(
        mean(seeds[1] - greedy)[:3], abs=1e-3
    )
    assert (first["wanted"], first["n"]) == ("shown (over Greedy)", 20)
    assert (
        first["command"]
        == "python benchmarks/rl2/tables.py --table mdps --rows 10 --preset smoke --agents"
        " mdp-greedy rl2"
    )
    assert best["value"] == pytest.approx(first["value"] - 5, abs=1e-3)
    assert best["wanted"] == "shown (over Greedy, random ties)"


def test_a_figure_above_the_optimum_is_called_wrong(tmp_path):
    row = parse_row("bandits", "10,5")
    ground = rl2_tables.ground_of(row, rl2_tables.Options("bandits", ("10,5",), "smoke"))
    cheat = rl2_tables.Cell(
        rl2_rows.Column("random", "Random"),
        np.full((1, 200), 9.0) + np.arange(200) % 2,
        mean(np.full(200, 9.0)),
        "",
    )
    assert (
        "Scores above the optimum 6.660, by more than chance"
        in rl2_tables.notes_of(ground, [cheat])["Random"]
    )


def test_a_small_lead_over_the_simulated_optimum_is_found_by_pairing():
    ground = rl2_tables.ground_of(
        parse_row("bandits", "10,5"), rl2_tables.Options("bandits", ("10,5",), "smoke")
    )
    # Tasks worse than most
    lucky = np.random.default_rng(0).binomial(10, 0.6, size=(1, 200)).astype(float)
    best = rl2_tables.Cell(rl2_rows.Column("bayes-optimal"), lucky, mean(lucky[0]), "")
    more = lucky + (np.arange(200) % 5 == 0)
    cheat = rl2_tables.Cell(rl2_rows.Column("random", "Random"), more, mean(more[0]), "")
    notes = rl2_tables.notes_of(ground, [best, cheat])
    assert "by more than chance" in notes["Random"]
    assert "by more than chance" not in notes["Bayes-optimal"]


def test_publishing_copies_weights_that_later_calls_use_without_the_runs(tmp_path, monkeypatch):
    quick = rl2_runs.rl2_config(parse_row("bandits", "10,5"), "smoke")
    monkeypatch.setattr(rl2_runs, "rl2_config", lambda row, preset: quick)
    options, _ = compute(
        tmp_path, rows=("10,5",), agents=("random", "rl2"), preset="cpu", publish=True
    )
    weights = options.folder / "weights" / "bandits-n10-k5"
    assert options.folder == tmp_path / "results" / "rl2_tables"
    assert pd.read_csv(options.folder / "bandits.csv").iloc[1]["run"] == weights.as_posix()
    assert sorted(path.name for path in (weights / "seed1").iterdir()) == [
        "metrics.csv",
        "run.json",
        "weights.safetensors",
    ]
    table = (options.folder / "bandits.csv").read_bytes()
    elsewhere, _ = compute(
        tmp_path,
        rows=("10,5",),
        agents=("random", "rl2"),
        preset="cpu",
        publish=True,
        train=False,
        runs="none",
    )
    assert (elsewhere.folder / "bandits.csv").read_bytes() == table


def test_a_run_of_other_settings_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    options, _ = compute(tmp_path, rows=("10,5",), agents=("rl2",))
    longer = rl2_runs.rl2_config(parse_row("bandits", "10,10"), "smoke").__class__(
        iterations=3, num_envs=64
    )
    monkeypatch.setattr(rl2_runs, "rl2_config", lambda row, preset: longer)
    (options.folder / "bandits.csv").unlink()
    with pytest.raises(ValueError, match="move it away"):
        compute(tmp_path, rows=("10,5",), agents=("random", "rl2"))
    assert not (options.folder / "bandits.csv").exists()


def test_bad_options_get_a_sentence():
    with pytest.raises(ValueError, match="has no agent 'psrl'; it has random"):
        rl2_tables.Options("bandits", agents=("psrl",))
    with pytest.raises(ValueError, match="has no row '10,7'; it has 10,5"):
        rl2_tables.Options("bandits", rows=("10,7",))
    with pytest.raises(ValueError, match="too few tasks to publish"):
        rl2_tables.Options("bandits", preset="smoke", publish=True)


def test_all_rows_and_columns_are_the_default():
    options = rl2_tables.Options("bandits")
    assert [row.name for row in options.chosen_rows()] == [
        f"bandits-n{n}-k{k}" for n in (10, 100, 500) for k in (5, 10, 50)
    ]
    assert options.chosen_columns() == list(rl2_rows.COLUMNS["bandits"])


def test_slow_agents_play_fewer_tasks_in_the_longest_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(rl2_tables, "SLOW_TASKS", 6)
    options, _ = compute(tmp_path, table="mdps", rows=("75",), agents=("psrl", "ucrl2"))
    table = pd.read_csv(options.folder / "mdps.csv").set_index("agent")
    assert table["num_tasks"].to_dict() == {
        "PSRL": 20,
        "PSRL, prior mean 0": 20,
        **dict.fromkeys(SLOW, 6),
    }
    assert table["fingerprint"].nunique() == 2
    with np.load(options.folder / "totals" / "mdps-n75.npz") as totals:
        assert sorted(name for name in totals if totals[name].ndim) == ["psrl", "psrl-0.0"]
    with np.load(options.folder / "totals" / "mdps-n75-6-tasks.npz") as totals:
        assert len([name for name in totals if totals[name].shape == (6,)]) == 3


def test_a_figure_that_is_drawn_again_has_the_tables_ceiling(tmp_path, monkeypatch):
    options, _ = compute(tmp_path, rows=("10,5",), agents=("random",), train=False)
    file = options.folder / "bandits.csv"
    pd.read_csv(file).assign(optimum=7.25).to_csv(file, index=False)
    drawn = []
    monkeypatch.setattr(
        rl2_tables, "scores_figure", lambda table, levels, **words: drawn.append(levels)
    )
    monkeypatch.setattr(rl2_tables, "save", lambda figure, file: None)
    compute(tmp_path, rows=("10,5",), redraw=True)
    assert drawn == [{"optimum": 7.25}]
