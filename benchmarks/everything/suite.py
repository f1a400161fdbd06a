"""One table over all kinds of learner: memory, initialisation, hierarchy, joint training, exact
agents.

    metarl suite run everything --publish

Step sizes of initialisation learners were chosen on training tasks:

    metarl suite run everything --preset search
    metarl table runs/everything/search
"""

from benchmarks.everything.columns import preset, search
from benchmarks.everything.figures import fill
from metarl.suites.job import FilledSuite
from metarl.suites.suite import Suite

__all__ = ["SUITE"]


def fill_all(filled: FilledSuite) -> None:
    """Make the table of all learners; the search has the leaderboard alone."""
    if filled.preset != "search":
        fill(filled)


SUITE = Suite(
    "everything",
    {"smoke": lambda: preset(steps=1, num_tasks=4, seeds=(0,)), "cpu": preset, "search": search},
    fill_all,
    "Every kind of learner beside the exact agents, on a small family of each kind",
)
