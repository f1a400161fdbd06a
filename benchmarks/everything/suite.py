"""One table over all kinds of learner: memory, initialisation, hierarchy, joint training, exact
agents.

    metarl suite run everything --publish

Step sizes of initialisation learners were chosen on training tasks:

    metarl suite run everything --preset search
    metarl table runs/everything/search
"""

from benchmarks.everything.columns import FAMILIES, LEARNERS, preset, search, without
from benchmarks.everything.figures import fill
from metarl.runs.evaluations import family_in_words
from metarl.suites.job import FilledSuite
from metarl.suites.suite import Suite

__all__ = ["SUITE"]


def fill_all(filled: FilledSuite) -> None:
    """Make the table of all learners; the search has the leaderboard alone."""
    if filled.preset != "search":
        fill(filled)


def reasons() -> dict[str, dict[str, str]]:
    """Return why learners have no score on some families, by label and family."""
    found: dict[str, dict[str, str]] = {}
    for column in FAMILIES:
        family = family_in_words(column.id, column.arguments)
        for learner, label in LEARNERS.items():
            reason = without(column, learner.partition("-with-")[0])
            if learner == "rl2-with-own" and column.memory is None:
                reason = "no core is made for this family"
            if reason is not None:
                found.setdefault(label, {})[family] = reason
    return found


SUITE = Suite(
    "everything",
    {"smoke": lambda: preset(steps=1, num_tasks=4, seeds=(0,)), "cpu": preset, "search": search},
    fill_all,
    "Every kind of learner beside the exact agents, on a small family of each kind",
    reasons,
)
