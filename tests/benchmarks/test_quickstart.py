import pandas as pd

from benchmarks.quickstart import Quickstart, main
from metarl.runs.load import load_agent
from metarl.runs.store import RunFolder


def run(folder, capsys):
    main(Quickstart(seed=1, folder=folder, iterations=1, num_tasks=300, search_tasks=100))
    return capsys.readouterr().out


def test_a_short_run_prints_saves_and_repeats_itself(tmp_path, capsys):
    shown = run(tmp_path / "first", capsys)
    table = pd.read_csv(tmp_path / "first" / "table.csv")
    assert len(table) == 9
    assert (table["num_tasks"] == 300).all()
    for label in table["agent"]:
        assert label in shown
    assert "6.660" in shown
    for name in ("table.csv", "scores.png", "learning_curve.png"):
        assert (tmp_path / "first" / name).stat().st_size > 0
    assert RunFolder(tmp_path / "first").evaluations()["test"][0]["num_tasks"] == 300
    load_agent(tmp_path / "first")
    run(tmp_path / "second", capsys)
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "second" / "table.csv"), table, check_exact=True
    )
