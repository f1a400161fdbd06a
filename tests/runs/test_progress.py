import io

import pytest
from rich.console import Console

from metarl.core.registry import make
from metarl.runs.progress import Progress, Yardstick, yardstick


def test_the_yardstick_of_bandits_is_exact_at_the_top():
    scale = yardstick(make("BernoulliBandit-v0", arms=5), 10, num_tasks=4096)
    assert scale.kind == "optimum"
    assert scale.best == pytest.approx(6.6599878748)
    assert scale.random == pytest.approx(5.0, abs=0.15)
    assert scale(scale.best) == 1
    assert scale(scale.random) == 0


def test_a_family_without_optimum_has_its_upper_bound():
    scale = yardstick(make("RandomMDP-v0"), 10, num_tasks=512)
    assert scale.kind == "upper bound"
    assert scale.best == pytest.approx(218.4, abs=3)


def test_a_family_without_bounds_has_no_yardstick(monkeypatch):
    bandit = make("BernoulliBandit-v0")
    monkeypatch.setattr(bandit, "upper_bound", lambda tasks, episodes: None)
    monkeypatch.setattr(bandit, "optimum", lambda episodes: None)
    assert yardstick(bandit, 10) is None


def show(terminal):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120, highlight=False)
    with Progress("title", 4, 0, Yardstick(5.0, 6.66, "optimum"), console) as progress:
        for i in range(1, 5):
            progress.show(i, {"steps": 1000.0 * i, "return": 5.83, "steps_per_second": 1234.5})
    return stream.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_every_figure_is_shown(terminal):
    text = show(terminal)
    for piece in (
        "title",
        "iteration",
        "4/4",
        "4,000",
        "1,234",
        "5.830",
        "0.500",
        "time left",
        "0:00",
    ):
        assert piece in text, piece
    assert ("1 = optimum 6.660" in text) is terminal


def test_plain_lines_are_few():
    assert show(False).count("\n") == 3  # title, first, last


def test_supervised_runs_count_gradients_and_show_the_loss():
    stream = io.StringIO()
    with Progress(
        "title", 1, console=Console(file=stream, width=120, highlight=False), supervised=True
    ) as progress:
        progress.show(1, {"steps": 1000.0, "return": -0.25, "steps_per_second": 1234.5})
    assert "gradients 1,000 · gradients/s 1,234 · loss 0.250" in stream.getvalue()
    assert "environment" not in stream.getvalue()
