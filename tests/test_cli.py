import configparser
import importlib.util
import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Annotated

import pandas as pd
import pytest
import torch
import tyro

import metarl
from metarl.cli import COMMANDS, _flag_names, main, plain_errors
from metarl.commands.info import CHECKOUT, OPTIONAL_PARTS, _command
from metarl.commands.list import catalogue, first_sentence
from metarl.learners.registry import LEARNERS, learner_class, learner_names
from metarl.runs.checkpoint import load_state
from metarl.runs.level_scores import COLUMNS
from metarl.runs.store import RunFolder

SMALL = [
    "--distribution-args",
    "arms=3",
    "--episodes",
    "4",
    "--num-envs",
    "16",
    "--network.hidden-size",
    "8",
]


def exits(words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    return caught.value.code


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_every_command(words, capsys):
    assert exits(words) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in COMMANDS)


def test_help_imports_no_pytorch():
    code = (
        "import sys, metarl.cli\ntry:\n    metarl.cli.main(['--help'])\nexcept SystemExit:\n   "
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_module_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["metarl", "evaluate", "nowhere"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("metarl", run_name="__main__")
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("metarl: nowhere holds no run")


def test_flags_are_the_configs_fields_with_their_help(capsys):
    assert exits(["train", "rl2", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for piece in (
        "--episodes",
        "K, episodes in a meta-episode",
        "--network.core {gru,lstm,attention,none,per_pair_memory,spatial_memory}",
        "--distribution-args",
        "--seed",
    ):
        assert piece in shown, piece


def test_train_evaluate_and_go_on(tmp_path, capsys):
    folder = tmp_path / "run"
    main(["train", "rl2", *SMALL, "--iterations", "2", "--seed", "3", "--folder", str(folder)])
    assert f"metarl evaluate {folder}" in capsys.readouterr().out
    identity = RunFolder(folder).identity
    assert (
        identity["seeds"],
        identity["arguments"],
        identity["config"]["network"]["hidden_size"],
    ) == ([3], {"arms": 3}, 8)
    # finished: nothing to do
    main(["train", "rl2", *SMALL, "--iterations", "2", "--seed", "3", "--folder", str(folder)])
    main(
        [
            "evaluate",
            str(folder),
            "--num-tasks",
            "50",
            "--seed",
            "7",
            "--beside",
            "gittins",
            "thompson",
        ]
    )
    shown = capsys.readouterr().out
    for piece in ("RL²", "Random", "Gittins", "Thompson", "optimum"):
        assert piece in shown, piece
    about, table = RunFolder(folder).evaluations()["test-50tasks-4episodes-seed7"]
    assert len(table) == about["num_tasks"] == 50
    main(
        [
            "evaluate",
            str(folder),
            "--num-tasks",
            "50",
            "--episodes",
            "3",
            "--after",
            "2",
            "--score",
            "after_k",
        ]
    )
    assert "after_k" in RunFolder(folder).evaluations()["test-50tasks-3+2episodes-seed0"][1]


def test_an_image_network_is_trained_by_flags_and_scored(tmp_path, capsys):
    folder = str(tmp_path / "run")
    flags = [
        "--distribution",
        "GlyphClassification-v0",
        "--distribution-args",
        "ways=3",
        "train_shots=2",
        "--iterations",
        "1",
    ]
    main(
        [
            "train",
            "reptile",
            *flags,
            "--folder",
            folder,
            "network:image-network-config",
            "--network.filters",
            "4",
        ]
    )
    assert RunFolder(folder).identity["config"]["network"]["filters"] == 4
    main(["evaluate", folder, "--num-tasks", "10", "--inner-steps", "2"])
    assert "accuracy" in capsys.readouterr().out


def test_the_table_is_shown_even_where_scores_cant_be_saved(tmp_path, capsys):
    small_run(tmp_path)
    (tmp_path / "evaluations").write_text("in the way")
    assert exits(["evaluate", str(tmp_path), "--num-tasks", "20"]) == 1
    shown = capsys.readouterr()
    assert "Random" in shown.out
    assert "a file is in the way" in shown.err


def test_the_folder_is_named_for_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["train", "rl2", *SMALL, "--iterations", "2", "--seed", "1", "2"])
    folder = (
        "runs/rl2-BernoulliBandit-v0-arms=3-episodes=4-network.hidden_size=8-num_envs=16-seed1+2"
    )
    assert RunFolder(folder).weights(1).exists()
    main(["evaluate", folder, "--num-tasks", "10", "--seed-index", "1"])


def small_run(folder, iterations=2):
    main(["train", "rl2", *SMALL, f"--folder={folder}", f"--iterations={iterations}"])


def test_paths_are_taken_as_typed_and_printed_as_pasted(tmp_path, monkeypatch, capsys):
    home = tmp_path / "my home"
    here = tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "argv", ["metarl"])
    for typed, place in (
        ("~/run", home / "run"),
        ("two words' $x", here / "two words' $x"),
        ("-x", here / "-x"),
    ):
        small_run(typed)
        printed = capsys.readouterr().out.partition("Score it: metarl ")[2]
        assert RunFolder(place).weights().exists()
        main([*shlex.split(printed), "--num-tasks", "5"])
        assert list(place.glob("evaluations/*.csv"))
    assert sorted(path.name for path in here.iterdir()) == ["-x", "two words' $x"]
    assert exits(["leaderboard", "~/nothing"]) == 1
    assert f"There is no folder {home}/nothing" in capsys.readouterr().err
    assert exits(["retro", "import", "~/nothing"]) == 1
    assert f"There is no folder {home}/nothing" in capsys.readouterr().err
    images = [
        "train",
        "reptile",
        "--distribution",
        "ImageClassification-v0",
        "--distribution-args",
        "folder=~/images",
    ]
    assert exits(images) == 1
    assert f"{home}/images" in capsys.readouterr().err
    assert exits(["evaluate", "~nobody-of-that-name/x"]) == 1
    assert "no such user's home folder" in capsys.readouterr().err


def test_more_iterations_go_on_in_the_same_folder_and_fewer_are_refused(tmp_path, capsys):
    small_run(tmp_path)
    main(["evaluate", str(tmp_path), "--num-tasks", "5"])
    small_run(tmp_path, 3)
    assert "goes on to 3 iterations, 2 before" in capsys.readouterr().err
    assert len(RunFolder(tmp_path).metrics) == 3
    assert not list(tmp_path.glob("evaluations/*"))
    main(["evaluate", str(tmp_path / "earlier" / "2-iterations"), "--num-tasks", "5"])
    with pytest.raises(SystemExit, match="1"):
        small_run(tmp_path, 1)
    assert "has 3 iterations behind it already, and 1 are wanted" in capsys.readouterr().err


def test_version_and_info(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"metarl {metarl.__version__}\n"
    main(["info"])
    shown = capsys.readouterr().out
    for name in ("python", "torch", "cpu", *(part.package for part in OPTIONAL_PARTS)):
        assert name in shown, name


def test_missing_parts_are_got_by_what_the_project_declares():
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(CHECKOUT / "setup.cfg")
    makefile = (CHECKOUT / "Makefile").read_text()
    for part in OPTIONAL_PARTS:
        if part.target.startswith("["):
            assert part.package in setup["options.extras_require"][part.target.strip("[]")]
        elif part.target.startswith("make "):
            assert f"\n{part.target.removeprefix('make ')}:" in makefile
        assert (
            importlib.util.find_spec(part.module) is not None
            or "pip install" in _command(part)
            or "make" in _command(part)
        )


@pytest.mark.parametrize("learner", learner_names())
def test_words_of_other_libraries_name_our_flags(learner, capsys):
    for word, ours in (
        ("--learning-rate", "lr"),
        ("--lr", "lr"),
        ("--hidden-size", ("hidden-size", "hidden")),
        ("--iters", "iterations"),
    ):
        assert exits(["train", learner, word, "3"]) == 2
        sentence = capsys.readouterr().err
        assert f"has no flag {word}. Did you mean --" in sentence, sentence
        named = sentence.partition("Did you mean ")[2].split("?")[0].split(" or ")
        assert all(flag.endswith(ours) for flag in named), sentence
        main_help = {flag for names in _flag_names(config_flags(learner)) for flag in names}
        assert set(named) <= main_help


def config_flags(learner):
    kind = learner_class(learner).Config

    def flags(config: Annotated[kind, tyro.conf.arg(name="")] = kind()) -> None: ...

    return flags


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "rl2", "--gamma", "1"], "Did you mean --ppo.discount?"),
        (["train", "rl2", "--hidden-size", "8"], "Did you mean --network.hidden-size?"),
        (["train", "rl2", "--iteratoins", "8"], "Did you mean --iterations?"),
        (["train", "rl2", "--num_env=8"], "Did you mean --num-envs?"),
        (
            ["train", "rl2", "--inner-steps", "3"],
            "maml-rl, meta-sgd, reptile and reptile-rl have it",
        ),
        (["train", "rl2", "--iterations", "5", "--iterations", "6"], "--iterations is given twice"),
        (["train", "rl2", "--num_envs=5", "--num-envs", "6"], "--num-envs is given twice"),
        (["train", "rl2", "--folder", ""], "nothing stands behind --folder"),
        (["train", "rl2", "--folder="], "nothing stands behind --folder="),
        (["evaluate", "runs", "--beside", "ucb1", ""], "nothing stands behind ucb1"),
        (["evaluate", ""], "nothing stands behind metarl evaluate"),
        (["leaderboard", ""], "nothing stands behind metarl leaderboard"),
        (
            ["train", "rl2", "--seed", "0", "--seed", "1"],
            "with all its values behind it, such as --seed 0 1 2",
        ),
        (["train", "rl2", "--tensorboard", "--no-tensorboard"], "--no-tensorboard is given twice"),
        (["train", "rl2", "--iterations", "five"], "--iterations"),
        (["train", "rl2", "--ppo.lr", "nan"], "lr must be a number, not nan"),
        (["evaluate", "run", "--num-taks", "3"], "Did you mean --num-tasks?"),
        (["watch", "run", "--tasks", "3", "--num-tasks", "4"], "--num-tasks is given twice"),
        (["train", "rl2", "GridMaze-v0"], "did you mean --distribution GridMaze-v0?"),
        (["trian", "rl2"], "Did you mean `metarl train rl2`?"),
    ],
)
def test_flags_that_are_wrong_or_given_twice_end_with_status_2(words, sentence, capsys):
    assert exits(words) == 2
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_watch_a_run_and_an_agent(tmp_path, capsys):
    maze = ["--distribution", "GridMaze-v0", "--distribution-args", "size=3", "horizon=8"]
    main(["train", "rl2", *maze, *SMALL[2:], "--iterations", "2", "--folder", str(tmp_path)])
    main(
        [
            "watch",
            str(tmp_path),
            "--split",
            "test",
            "--tasks",
            "2",
            "--seed",
            "1",
            "--episodes",
            "2",
        ]
    )
    shown = capsys.readouterr().out
    for kind in ("png", "gif"):
        file = tmp_path / "watched" / f"test-2tasks-2episodes-seed1.{kind}"
        assert str(file) in shown
        assert file.stat().st_size > 1000
    main(
        [
            "watch",
            "--agent",
            "random",
            *maze,
            "--num-tasks",
            "1",
            "--format",
            "mp4",
            "--out",
            str(tmp_path / "out"),
        ]
    )
    assert (tmp_path / "out" / "test-1tasks-2episodes-seed0.mp4").exists()


def test_the_leaderboard_ranks_what_is_stored(tmp_path, capsys):
    lines = [("PPO", 0, 2.0), ("PPO", 1, 4.0), ("Joint PPO", 0, 5.0), ("Joint PPO", 1, 7.0)]
    table = pd.DataFrame(lines, columns=["agent", "seed", "score"]).assign(
        game="lines", split="test", level="a", steps=1000, episodes=3
    )
    table = table.assign(success=0.0, fingerprint="f", command="python benchmarks/sonic/levels.py")[
        COLUMNS
    ]
    (tmp_path / "deep").mkdir()
    table.to_csv(tmp_path / "deep" / "scores.csv", index=False)
    main(["leaderboard", str(tmp_path)])
    shown = capsys.readouterr().out
    assert shown.index("Joint PPO") < shown.index(" PPO ")
    assert "6.00" in shown
    assert "1,000" in shown
    assert "lines, PPO: python benchmarks/sonic/levels.py" in shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["watch"], "Name a run's folder, or --agent and --distribution"),
        (["watch", "nowhere"], "holds no run"),
        (
            ["watch", "--agent", "random", "--distribution", "BernoulliBandit-v0"],
            "has nothing to show",
        ),
        (["train", "nope", "--distribution", "BernoulliBandit-v0"], "There is no learner 'nope'."),
        (["train", "nope"], "Known: fomaml"),
        (
            ["train", "rl2", "--distribution", "BernouliBandit-v0"],
            "Did you mean 'BernoulliBandit-v0'?",
        ),
        (["train", "rl2", "--distribution-args", "arms"], "as NAME=VALUE"),
        (["train", "rl2", "--distribution-args", "legs=5"], "can't be made with"),
        (["train", "rl2", "--device", "gpu"], "There is no device 'gpu'"),
        (["train", "rl2", "--iterations", "0"], "at least 1"),
        (["train", "rl2", "--folder", "/dev/null/run"], "a file is in the way"),
        (["train", "rl2", "--checkpoint-seconds", "-1"], "can't be negative"),
        (["train", "rl2", "--checkpoint-seconds", "nan"], "must be a number"),
        (
            ["train", "rl2", "--distribution-args", "arms=5", "arms=8"],
            "arms is given twice: 5 and 8",
        ),
        (["train", "rl2", "--distribution-args", "arms=NaN"], "arms must be a whole number"),
        (["train", "rl2", "--seed", "0", "0"], "repeat"),
        (
            ["train", "--distribution", "GridMaze-v0"],
            "Name a learner first, such as `metarl train rl2 --distribution GridMaze-v0`",
        ),
        (["train", "RL2"], "Did you mean 'rl2'?"),
        (["train", "maml", "--distribution", "GridMaze-v0"], "the learner maml-rl"),
        (["evaluate", "nowhere"], "holds no run"),
    ],
)
def test_bad_input_ends_with_a_sentence_and_status_1(
    words, sentence, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert exits(words) == 1
    shown = capsys.readouterr().err
    assert sentence in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    "words",
    [
        ["learn"],
        ["train", "rl2", "--flag"],
        ["watch", "nowhere", "--format", "avi"],
        ["evaluate"],
        ["list", "all"],
    ],
)
def test_unknown_words_end_with_status_2(words):
    assert exits(words) == 2


def test_tracebacks_are_shown_on_request(monkeypatch):
    monkeypatch.setenv("METARL_TRACEBACK", "1")
    with pytest.raises(ValueError, match="holds no run"):
        main(["evaluate", "nowhere"])


def test_ctrl_c_ends_with_status_130(monkeypatch, capsys):
    def stopped(words):
        raise KeyboardInterrupt("Stopped after iteration 3; the same command goes on from there.")

    monkeypatch.setitem(COMMANDS, "train", stopped)
    assert exits(["train"]) == 130
    assert "goes on from there" in capsys.readouterr().err


def test_ctrl_c_ends_two_processes_within_seconds_saved_and_says_how_to_go_on(tmp_path):
    folder = tmp_path / "two words"
    words = [
        "train",
        "rl2",
        "--num-envs",
        "8000",
        "--episodes",
        "40",
        "--processes",
        "2",
        "--iterations",
        "1000",
        f"--folder={folder}",
    ]
    command = [sys.executable, "-m", "metarl"]
    run = subprocess.Popen(
        [*command, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not (folder / "metrics.csv").exists() and run.poll() is None:
        time.sleep(0.05)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    assert len(children) == 1
    run.send_signal(signal.SIGINT)
    _, shown = run.communicate(timeout=60)
    assert run.returncode == 130, shown
    assert "Stopping after this iteration; press again to stop now." in shown
    assert shlex.split(shown.rpartition("goes on from there: ")[2]) == [*command, *words]
    assert load_state(folder / "checkpoint.safetensors")[0]["iteration"] >= 1
    assert not Path(f"/proc/{children[0]}").exists()
    assert "Traceback" not in shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_every_command_with_status_130(number, monkeypatch, capsys):
    # A shell's background jobs, and their tests, ignore Ctrl-C
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setitem(COMMANDS, "evaluate", lambda words: signal.raise_signal(number))
    try:
        assert exits(["evaluate", "run"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "Stopped.\n"


def test_faults_of_the_code_keep_their_traceback_and_are_called_so(monkeypatch, capsys):
    monkeypatch.setitem(COMMANDS, "list", lambda words: {}["nothing"])
    with pytest.raises(KeyError):
        main(["list"])
    assert "This is a bug, metarl's or a plug-in's" in capsys.readouterr().err


def test_the_list_has_a_line_for_everything(capsys):
    main(["list"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(catalogue())
    for line in lines:
        kind, _, sentence = line.split(maxsplit=2)
        assert kind in ("distribution", "learner", "agent")
        assert sentence.endswith("."), line
        assert "can't be imported" not in line
    assert {"BernoulliBandit-v0", "rl2", "gittins"} <= {line.split()[1] for line in lines}


def test_a_plug_in_that_doesnt_import_hides_nothing(monkeypatch):
    monkeypatch.setitem(LEARNERS, "broken", "metarl.no_such_module:Learner")
    sentences = {line.id: line.sentence for line in catalogue("learner")}
    assert "can't be imported: ModuleNotFoundError" in sentences["broken"]
    assert sentences["rl2"].startswith("RL²")


def test_first_sentences():
    assert (
        first_sentence("One thing\n    after another. And more.\n\nLater.")
        == "One thing after another."
    )
    assert (
        first_sentence("As in Duan et al. Their paper. Next.") == "As in Duan et al. Their paper."
    )
    assert first_sentence("Mean + 0.5 std") == "Mean + 0.5 std"


def test_memory_that_isnt_there_is_said_in_a_sentence(capsys):
    with pytest.raises(SystemExit, match="1"), plain_errors():
        torch.empty(1 << 55)
    assert "allocate memory" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="a fault"), plain_errors():
        raise RuntimeError("a fault of our own")


def test_a_reader_who_has_had_enough_ends_the_command_quietly():
    listing = subprocess.Popen(
        [sys.executable, "-m", "metarl", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    listing.stdout.close()
    assert listing.stderr.read() == ""
    assert listing.wait() == 1


def test_warnings_are_sentences_without_code(capsys):
    with plain_errors():
        warnings.warn("the folder is odd", stacklevel=1)
    assert capsys.readouterr().err == "metarl: the folder is odd\n"


def test_scores_are_saved_whatever_becomes_of_the_table(tmp_path, monkeypatch):
    def closed(self, table):
        raise BrokenPipeError

    small_run(tmp_path)
    monkeypatch.setattr("rich.console.Console.print", closed)
    monkeypatch.setattr(os, "dup2", lambda *descriptors: None)
    assert exits(["evaluate", str(tmp_path), "--num-tasks", "5"]) == 1
    assert len(list(tmp_path.glob("evaluations/*5tasks*.csv"))) == 2


def test_output_holds_any_letter_and_any_path(tmp_path):
    words = [
        sys.executable,
        "-c",
        "from metarl.cli import main; main(['--version']); print('RL² \\udcff')",
    ]
    for encoding, printed in (("ascii", b"RL? ?"), ("utf-8", "RL² ".encode() + b"\xff")):
        ended = subprocess.run(
            words, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}
        )
        assert ended.stdout.splitlines()[-1] == printed


def test_closed_output_and_a_folder_that_is_gone_end_without_a_traceback(tmp_path):
    (tmp_path / "gone").mkdir()
    command = f"{sys.executable} -m metarl"
    path = {**os.environ, "PYTHONPATH": str(Path(metarl.__file__).parents[1])}
    for line, said in (
        (f"cd gone; rmdir ../gone; {command} list", b"folder that you are in is gone"),
        (f"{command} --version >&-", b""),
    ):
        ended = subprocess.run(["bash", "-c", line], cwd=tmp_path, env=path, capture_output=True)
        assert b"Traceback" not in ended.stderr
        assert said in ended.stderr
