"""`metarl runs`: the list, its filters and order, and sentences for what isn't there."""

import re

import pytest

from metarl.cli import main
from metarl.runs.store import RunFolder


@pytest.fixture
def root(tmp_path):
    for name, learner, arms, seed, final in (
        ("a/first", "rl2", 5, 0, 0.5),
        ("a/second", "rl2", 10, 1, 0.75),
        ("b/third", "mlsh", 5, 0, 0.25),
    ):
        run = RunFolder(tmp_path / name)
        with run.lock():
            run.adopt(
                {
                    "learner": learner,
                    "config": {"iterations": 2},
                    "distribution": "BernoulliBandit-v0",
                    "arguments": {"arms": arms},
                    "seeds": [seed],
                    "device": "cpu",
                }
            )
        run.metrics_file.write_text(f"iteration,steps,return,seconds\n2,2000,{final},75.0\n")
    run.weights().touch()
    return tmp_path


def lines(capsys, *words):
    main(["runs", *map(str, words)])
    return capsys.readouterr().out.splitlines()


def test_each_run_has_a_line(root, capsys):
    head, *runs, total = lines(capsys, root)
    assert head.split() == [
        "run",
        "learner",
        "distribution",
        "seeds",
        "iterations",
        "state",
        "steps",
        "return",
        "time",
    ]
    assert runs[0].split() == (
        ["a/first", "rl2", "BernoulliBandit-v0", "0", "2/2", "begun", "2,000", "0.5", "1:15"]
    )
    assert "BernoulliBandit-v0 (arms 10)" in runs[1]
    assert total == "3 runs: 1 finished, 2 begun"


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (["--learner", "mlsh"], ["b/third"]),
        (["--state", "begun"], ["a/first", "a/second"]),
        (["--seed", "0"], ["a/first", "b/third"]),
        (["--sort", "return"], ["a/second", "a/first", "b/third"]),
        (["--distribution", "BernoulliBandit-v0", "--seed", "1"], ["a/second"]),
    ],
)
def test_runs_are_chosen_and_put_in_order(root, capsys, flags, wanted):
    _, *runs, _ = lines(capsys, root, *flags)
    assert [line.split()[0] for line in runs] == wanted


def test_what_is_not_there_is_said(root, tmp_path, capsys):
    for words, sentence in (
        ([tmp_path / "none"], "There is no folder"),
        ([root / "a", "--learner", "maml"], "None of the 2 runs in .* they are of rl2, on"),
    ):
        with pytest.raises(SystemExit):
            main(["runs", *map(str, words)])
        assert re.search(sentence, capsys.readouterr().err)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit):
        main(["runs", str(tmp_path / "empty")])
    assert "holds no run; `metarl train` makes some" in capsys.readouterr().err
