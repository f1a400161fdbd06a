"""The benchmark of meta-updates.

Both sides run, and compute the same; speed itself is never asserted.
"""

import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmarks.speed.initialisation_speed import QUESTIONS, Options, main, measure
from benchmarks.speed.opponents.own_maml import images, meta_gradient, sine


@pytest.mark.parametrize("order", ["first", "second"])
def test_both_sides_report_and_figures_are_saved(order, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    question = next(each for each in QUESTIONS if each.model == "sine" and each.order == order)
    main(Options("smoke", repeats=1), (question,))
    figures = pd.read_csv(tmp_path / "runs/initialisation_speed/tables/figures.csv")
    assert figures.figure.tolist() == [question.name]
    assert float(figures.value[0]) > 0
    assert len(pd.read_csv(tmp_path / "runs/initialisation_speed/tables/speed.csv")) == 2


def test_what_is_timed_is_a_meta_gradient():
    for problem, support, query in (sine(3), images(3, 4)):
        weights = problem.network.weights()
        first, second = (
            meta_gradient(order, problem, weights, support, query) for order in ("first", "second")
        )
        assert torch.allclose(first.losses, second.losses, atol=1e-6)
        assert any(
            not torch.allclose(a, b) for a, b in zip(first.gradients, second.gradients, strict=True)
        )


def test_without_learn2learn_one_sentence_says_how(tmp_path):
    (tmp_path / "learn2learn.py").write_text("raise ImportError('No module named learn2learn')")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with pytest.raises(
        RuntimeError, match="Run `make learn2learn`, or name an interpreter that has it"
    ):
        measure(Path(python), "learn2learn_maml.py", (), 0.1)
