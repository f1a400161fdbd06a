"""`metarl table`, `metarl compare`, `metarl export`: what they print and write, and sentences for
what can't be done.
"""

import io
import re
import shutil
import subprocess

import pandas as pd
import pytest

from metarl.analysis.board_tables import latex
from metarl.analysis.leaderboard import leaderboard
from metarl.cli import main
from tests.analysis.stored_runs import make_run, play, write_random


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for seed in range(2):
        make_run(root, f"run{seed}", seed, seed, ("train", "test"))
    make_run(root, "ten", 0, 1, arms=10)
    write_random(root)
    write_random(root / "more", arms=10)
    return root


def printed(capsys, *words):
    main([str(word) for word in words])
    return capsys.readouterr().out


def refused(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    assert ended.value.code in (1, 2)
    return capsys.readouterr().err


def test_a_table_has_a_part_for_each_set_of_tasks_and_one_over_all(root, capsys):
    text = printed(capsys, "table", root, "--against", "Random")
    assert "BernoulliBandit-v0, 9 + 1 episodes, 200 test tasks" in text
    assert "BernoulliBandit-v0 (arms 10), 9 + 1 episodes, 200 test tasks" in text
    assert "200 train tasks" in text
    plain = " ".join(text.split())
    assert "RL²: one seed: the interval is over tasks alone" in plain
    assert "better than Random" in plain
    assert "over all 2 families" in plain
    assert re.search("RL², 1 seed +│", text.partition("over all 2 families")[2])


def test_a_table_shows_what_is_asked_for(root, capsys):
    text = printed(capsys, "table", root, "--split", "train", "--score", "total")
    assert "200 train tasks" in text
    assert "test tasks" not in text
    assert "total" in text
    assert "families are BernoulliBandit-v0, splits are" in refused(
        capsys, "table", root, "--family", "GridMaze-v0"
    )


def test_profiles_are_drawn_a_figure_for_each_set_of_tasks(root, tmp_path, capsys):
    printed(capsys, "table", root, "--profiles", tmp_path)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert len(names) == 3
    assert any(name.startswith("BernoulliBandit-v0__arms_10_-test-after_k") for name in names)


def test_two_runs_are_compared(root, tmp_path, capsys):
    figure = tmp_path / "both.png"
    text = printed(
        capsys, "compare", root / "run0", root / "run1", "--split", "test", "--figure", figure
    )
    mean = play(0).scores("after_k").mean()
    assert re.search(rf"RL² \(run0\), 1 seed +│ +{mean:.3f} \(", text)
    assert "the first is better on a task" in text
    assert "nothing is known of other seeds" in " ".join(text.split())
    assert figure.stat().st_size > 10_000


def test_agents_are_compared_by_name_or_id(root, capsys):
    text = printed(capsys, "compare", "rl²", "random", "--root", root, "--split", "test")
    assert "RL², 2 seeds" in text
    assert "Random" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nobody", "random"], "There is no folder 'nobody', and no agent .* agents there: "),
        (["RUN0", "TEN"], "scored on nothing in common. Score both .* `metarl evaluate"),
        (["RUN0", "random", "--split", "extrapolate"], "wasn't scored on extrapolate tasks"),
        (["EMPTY", "random"], "holds no evaluation yet; `metarl evaluate"),
    ],
)
def test_what_can_not_be_compared_is_said(root, tmp_path, capsys, words, sentence):
    places = {"RUN0": root / "run0", "TEN": root / "ten", "EMPTY": tmp_path}
    error = refused(capsys, "compare", *(places.get(word, word) for word in words), "--root", root)
    assert re.search(sentence, error)


def test_csv_has_the_leaderboard_the_runs_or_every_score(root, tmp_path, capsys):
    board = pd.read_csv(io.StringIO(printed(capsys, "export", root)))
    wanted = leaderboard(root)
    assert list(board) == list(wanted)
    assert board["value"].tolist() == pytest.approx(wanted["value"].tolist())
    printed(capsys, "export", root, "--what", "runs", "--out", tmp_path / "new" / "runs.csv")
    assert len(pd.read_csv(tmp_path / "new" / "runs.csv")) == 3
    scores = pd.read_csv(io.StringIO(printed(capsys, "export", root, "--what", "scores")))
    own = scores[(scores["training_seed"] == 1) & (scores["split"] == "test")]
    assert own["after_k"].tolist() == play(1).scores("after_k").tolist()
    assert len(scores) == 200 * 7


def test_parquet_is_written_or_its_package_is_named(root, tmp_path, capsys):
    file = tmp_path / "board.parquet"
    words = ["export", root, "--format", "parquet"]
    assert "name a file with --out" in refused(capsys, *words)
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        assert "pip install -e '.[parquet]'" in refused(capsys, *words, "--out", file)
    else:
        printed(capsys, *words, "--out", file)
        assert pd.read_parquet(file)["label"].tolist() == leaderboard(root)["label"].tolist()


def test_latex_has_rows_of_agents_and_columns_of_families(root):
    text = latex(leaderboard(root))
    head, *rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert head.count(" & ") == 2
    assert r"BernoulliBandit-v0 \\ (arms 10) \\ 9 + 1 episodes \\ normalised after\_k" in head
    assert {row.count(" & ") for row in rows} == {2}
    value = leaderboard(root)
    value = value[(value["label"] == "RL²") & (value["seeds"] == 2) & (value["split"] == "test")]
    assert f"${value['normalised'].iloc[0]:.2f}$" in text
    assert r"RL\textsuperscript{2}" in text
    assert "one seed: the interval is over tasks alone" in text


def test_latex_compiles(root, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex isn't here; Debian's texlive-latex-recommended has it")
    board = leaderboard(root)
    names = {"RL²": "50 % of_a {strange} name: #1 & ~ ^ \\ $"}
    table = latex(board.assign(label=board["label"].replace(names)))
    document = (
        f"\\documentclass{{article}}\\usepackage{{booktabs,graphicx}}\\begin{{document}}{table}"
        "\\end{document}"
    )
    (tmp_path / "table.tex").write_text(document)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout


def test_what_can_not_be_written_is_said(root, tmp_path, capsys):
    assert "LaTeX has the table alone" in refused(
        capsys, "export", root, "--format", "latex", "--what", "runs"
    )
    assert "No validation tasks were scored" in refused(
        capsys, "export", root, "--format", "latex", "--split", "validation"
    )
    assert "There is no folder" in refused(capsys, "export", tmp_path / "none")
    assert "holds no run" in refused(capsys, "export", tmp_path, "--what", "runs")
    assert "holds no evaluation yet" in refused(capsys, "export", tmp_path, "--what", "scores")
    (tmp_path / "file").write_text("")
    assert "a file is in the way" in refused(
        capsys, "export", root, "--out", tmp_path / "file" / "x.csv"
    )
