"""What a training run shows while it runs: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from metarl.agents.registry import make_agent
from metarl.core.budget import Episodes
from metarl.core.capabilities import optimum_of, upper_bound_of
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.ceiling import ceiling_of, nothing_to_normalise
from metarl.evaluation.protocol import evaluate

__all__ = ["Progress", "Yardstick", "yardstick"]

YARDSTICK_STEPS = 100_000  # most environment steps that random play takes before training begins
PLAIN_LINE_SECONDS = 5.0  # between lines where there is no terminal


class Yardstick(NamedTuple):
    """What 0 and 1 stand for in a normalised training return."""

    random: float
    best: float
    kind: str  # "optimum" or "upper bound"

    def __call__(self, value: float) -> float:
        return (value - self.random) / (self.best - self.random)


def yardstick(
    distribution: TaskDistribution, episodes: int, num_tasks: int = 1024
) -> Yardstick | None:
    """Return what a random agent and the best one get in `episodes` episodes of training tasks.

    None where no bound is known.
    """
    if (
        upper_bound_of(distribution, distribution.sample(1, "train", 0), 1) is None
        and optimum_of(distribution, episodes) is None
    ):
        return None
    budget = Episodes(episodes, 0)
    num_tasks = max(16, min(num_tasks, YARDSTICK_STEPS // (episodes * distribution.horizon)))
    played = evaluate(
        make_agent("random", distribution, budget), distribution, "train", num_tasks, 0, budget
    )
    ceiling = ceiling_of(played, distribution)
    scores = played.scores("total")
    if ceiling is None or nothing_to_normalise(scores, ceiling):
        return None
    return Yardstick(float(scores.mean()), ceiling.value, ceiling.kind)


class Progress:
    """Shows iteration, environment steps a second, return, normalised score and time left.

    Args:
        title: what is trained.
        iterations: how many there will be; None if nobody knows.
        start: the iteration that the run goes on from.
        scale: what 0 and 1 stand for; None shows no normalised score.
        console: where to; standard error by default, so that standard output stays for results.
        supervised: examples are learned from rather than episodes: steps are gradients, and the
            return is minus the loss.
    """

    def __init__(
        self,
        title: str,
        iterations: int | None,
        start: int = 0,
        scale: Yardstick | None = None,
        console: Console | None = None,
        supervised: bool = False,
    ):
        self.supervised = supervised
        self.title = title
        self.iterations = iterations
        self.start = start
        self.scale = scale
        self.console = console or Console(file=sys.stderr, highlight=False)
        self._live = (
            Live(console=self.console, refresh_per_second=4, transient=False)
            if self.console.is_terminal
            else None
        )
        self._began = self._printed = time.monotonic()

    def __enter__(self) -> Self:
        self._began = self._printed = time.monotonic()
        if self._live is not None:
            self._live.start()
            self._live.update(f"{self.title}: the first iteration is under way")
        else:
            self.console.print(self.title, soft_wrap=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, iteration: int, metrics: dict[str, float]) -> None:
        """Show one iteration's figures: steps, return, steps_per_second."""
        if self._live is not None:
            self._live.update(self._table(iteration, metrics))
            return
        now = time.monotonic()
        if now - self._printed >= PLAIN_LINE_SECONDS or iteration in (
            self.start + 1,
            self.iterations,
        ):
            self._printed = now
            self.console.print(
                " · ".join(f"{name} {value}" for name, value in self._figures(iteration, metrics)),
                soft_wrap=True,
            )

    def _figures(self, iteration: int, metrics: dict[str, float]) -> list[tuple[str, str]]:
        of = f"/{self.iterations}" if self.iterations else ""
        figures = [
            ("iteration", f"{iteration}{of}"),
            ("gradients" if self.supervised else "environment steps", f"{int(metrics['steps']):,}"),
            (
                "gradients/s" if self.supervised else "steps/s",
                f"{metrics['steps_per_second']:,.0f}",
            ),
            (
                ("loss", f"{-metrics['return']:.3f}")
                if self.supervised
                else ("return", f"{metrics['return']:.3f}")
            ),
        ]
        if self.scale is not None:
            figures.append(("normalised", f"{self.scale(metrics['return']):.3f}"))
        if self.iterations:
            left = (
                (time.monotonic() - self._began)
                / max(iteration - self.start, 1)
                * (self.iterations - iteration)
            )
            figures.append(("time left", _duration(left)))
        return figures

    def _table(self, iteration: int, metrics: dict[str, float]) -> Table:
        figures = self._figures(iteration, metrics)
        caption = (
            f"normalised: 0 = random agent, 1 = {self.scale.kind} {self.scale.best:.3f}"
            if self.scale is not None
            else None
        )
        table = Table(
            *(name for name, _ in figures),
            title=self.title,
            caption=caption,
            title_justify="left",
            caption_justify="left",
        )
        table.add_row(*(value for _, value in figures))
        if not self.iterations:
            return table
        whole = Table.grid()
        whole.add_row(table)
        whole.add_row(ProgressBar(total=self.iterations, completed=iteration, width=60))
        return whole


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
