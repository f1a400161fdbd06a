"""The rows and columns of RL²'s Tables 1 and 2 (Duan et al. 2016).

A row is a distribution and a number n of episodes; a column is an agent.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.rl2.published import TABLES, rl2_table
from metarl.agents.registry import agent_class
from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.core.task_distribution import TaskDistribution

__all__ = [
    "COLUMNS",
    "PRESETS",
    "RL2_ID",
    "RL2_LABEL",
    "WANTED",
    "Column",
    "Preset",
    "Row",
    "parse_row",
]

RL2_ID = "rl2"
RL2_LABEL = "RL²"

Table = Literal["bandits", "mdps"]
PresetName = Literal["smoke", "cpu", "paper"]


@dataclass(frozen=True)
class Column:
    """One agent of a table.

    Attributes:
        agent: its id for `make_agent`, or "rl2".
        paper: the heading of its column in the paper, which variants may share; None where the
            paper has none.
        parameters: fixed ones, beside those that are searched.
        variant: what sets it apart from another column of the same agent.
        differs: why its figure may differ from the paper's, printed where it does.
        slow: it is so slow that in the longest rows it plays fewer tasks, which the other agents
            don't play.
    """

    agent: str
    paper: str | None = None
    parameters: tuple[tuple[str, Any], ...] = ()
    variant: str = ""
    differs: str = ""
    slow: bool = False

    @property
    def label(self) -> str:
        """As tables print it."""
        label = RL2_LABEL if self.agent == RL2_ID else str(agent_class(self.agent).label)
        return f"{label}, {self.variant}" if self.variant else label

    @property
    def key(self) -> str:
        """A name for files."""
        return "-".join([self.agent, *(str(value) for _, value in self.parameters)])


# Rewards have a prior mean of 1. The variants "prior mean 0" believe in 0; what is fixed in them
# was set by hand, on training tasks with n = 10, to come closest to the paper's figures there.
PRIOR_MEAN_0 = (
    "at n = 10 the paper's figure comes out where the prior mean of rewards is taken as 0 (see that"
    " variant)"
)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "bandits": (
        Column("random", "Random"),
        Column(
            "gittins",
            "Gittins",
            differs=(
                "ours are finite-horizon indices computed exactly; the paper takes the best of"
                " several approximations"
            ),
        ),
        Column("thompson", "TS"),
        Column(
            "optimistic-thompson",
            "OTS",
            differs=(
                "the paper leaves its definition open; the densest of several posterior draws comes"
                " closest"
            ),
        ),
        Column(
            "ucb1",
            "UCB1",
            differs="c is searched here on training tasks; the paper doesn't print its values",
        ),
        Column(
            "bandit-epsilon-greedy",
            "eps-Greedy",
            differs=(
                "ε is searched here, and equal arms go to the first; the paper prints neither its ε"
                " nor its rule"
            ),
        ),
        Column(
            "bandit-greedy",
            "Greedy",
            differs=(
                "the paper doesn't say which of equal arms is pulled; taking the first comes"
                " closest, a random one scores more"
            ),
        ),
        Column("bandit-greedy", parameters=(("random_ties", True),), variant="random ties"),
        Column("bayes-optimal"),
        Column(
            RL2_ID,
            "RL2",
            differs=(
                "trained here by PPO, in the paper by TRPO with up to 1,000 updates of 250,000"
                " steps"
            ),
        ),
    ),
    "mdps": (
        Column("random", "Random"),
        Column("psrl", "PSRL", differs=f"ours believes in the true prior; {PRIOR_MEAN_0}"),
        Column("psrl", "PSRL", (("reward_prior_mean", 0.0),), "prior mean 0"),
        Column(
            "opsrl",
            "OPSRL",
            slow=True,
            differs=(
                "ours believes in the true prior, and the number of posterior samples is searched"
                f" here; {PRIOR_MEAN_0}"
            ),
        ),
        Column(
            "opsrl",
            "OPSRL",
            (("reward_prior_mean", 0.0), ("samples", 10)),
            "prior mean 0",
            slow=True,
        ),
        Column(
            "ucrl2",
            "UCRL2",
            slow=True,
            differs=(
                "ours believes in the true prior, and the width of the confidence sets is searched"
                " here; with a prior mean of rewards of 0 it comes closer (see that variant)"
            ),
        ),
        Column("ucrl2", parameters=(("ties", "random"),), variant="random ties", slow=True),
        Column(
            "ucrl2",
            "UCRL2",
            (("reward_prior_mean", 0.0), ("ties", "random"), ("scale", 0.3)),
            "prior mean 0",
            "the paper prints neither the width of its confidence sets nor its rule for ties",
            slow=True,
        ),
        Column(
            "beb",
            "BEB",
            differs=f"ours believes in the true prior, and β is searched here; {PRIOR_MEAN_0}",
        ),
        Column("beb", parameters=(("ties", "random"),), variant="random ties"),
        Column(
            "beb",
            "BEB",
            (("reward_prior_mean", 0.0), ("ties", "random"), ("prior_visits", 10), ("beta", 40)),
            "prior mean 0",
            "the paper prints neither its β nor its prior counts",
        ),
        Column(
            "mdp-epsilon-greedy",
            "eps-Greedy",
            differs=f"ours plans on the posterior mean under the true prior; {PRIOR_MEAN_0}",
        ),
        Column(
            "mdp-epsilon-greedy",
            "eps-Greedy",
            (
                ("estimate", "mode"),
                ("reward_prior_mean", 0.0),
                ("ties", "random"),
                ("epsilon", 0.05),
            ),
            "prior mean 0",
            "the paper doesn't print its ε",
        ),
        Column(
            "mdp-greedy",
            "Greedy",
            differs=f"ours plans on the posterior mean under the true prior; {PRIOR_MEAN_0}",
        ),
        Column("mdp-greedy", parameters=(("ties", "random"),), variant="random ties"),
        Column(
            "mdp-greedy",
            "Greedy",
            (("estimate", "mode"), ("reward_prior_mean", 0.0), ("ties", "random")),
            "prior mean 0",
            "the paper doesn't say on which estimate of the transitions it plans",
        ),
        Column(
            "mdp-greedy",
            parameters=(("estimate", "maximum-likelihood"),),
            variant="maximum likelihood",
        ),
        Column("known-model"),
        Column(
            RL2_ID,
            "RL2",
            differs=(
                "trained here by PPO, in the paper by TRPO with up to 10,000 updates of 250,000"
                " steps"
            ),
        ),
    ),
}

# What RL² is held against, by row: (what it is, figure). Those of other papers are as printed
# there; "posterior-mean greedy" takes the first of equal actions. SNAIL: Mishra et al. 2018.
WANTED: dict[str, tuple[tuple[str, float], ...]] = {
    "bandits-n10-k5": (("near the optimum", 6.60),),
    "bandits-n10-k10": (("near the optimum", 6.64),),
    "bandits-n10-k50": (("near the optimum", 6.62),),
    "bandits-n100-k5": (("floor", 78.3), ("the paper's RL²", 78.7)),
    "bandits-n100-k10": (("floor", 82.8), ("the paper's RL²", 83.5)),
    "bandits-n100-k50": (("floor", 84.3), ("the paper's RL²", 84.9), ("the paper's Gittins", 85.2)),
    "bandits-n500-k5": (("the paper's RL²", 401.6), ("the paper's Gittins", 405.8)),
    "bandits-n500-k10": (("the paper's RL²", 432.5), ("the paper's Gittins", 437.8)),
    "bandits-n500-k50": (("the paper's RL²", 438.9), ("the paper's Gittins", 463.7)),
    "mdps-n10": (
        ("posterior-mean greedy", 149.3),
        ("floor", 153.0),
        ("the paper's RL²", 156.2),
        ("SNAIL", 159.1),
    ),
    "mdps-n25": (("floor", 427.0), ("the paper's RL²", 445.7), ("SNAIL", 447.2)),
    "mdps-n50": (
        ("the paper's PSRL", 904.0),
        ("the paper's OPSRL", 930.7),
        ("the paper's RL²", 936.1),
    ),
    "mdps-n75": (
        ("the paper's PSRL", 1417.0),
        ("the paper's RL²", 1428.8),
        ("the paper's OPSRL", 1449.2),
    ),
    "mdps-n100": (
        ("the paper's RL²", 1913.7),
        ("the paper's PSRL", 1939.0),
        ("the paper's OPSRL", 1973.9),
    ),
}


@dataclass(frozen=True)
class Preset:
    """How much is computed.

    Attributes:
        short_bandit_tasks: test tasks of the bandits with n = 10, whose differences are small.
        tasks: test tasks elsewhere.
        search_tasks: training tasks on which free parameters are searched, in rows of 10 episodes.
        long_search_tasks: ... in longer rows.
        seeds: of RL²'s trainings.
    """

    short_bandit_tasks: int
    tasks: int
    search_tasks: int
    long_search_tasks: int
    seeds: tuple[int, ...]


PRESETS: dict[str, Preset] = {
    "smoke": Preset(
        short_bandit_tasks=512, tasks=64, search_tasks=64, long_search_tasks=32, seeds=(0,)
    ),
    "cpu": Preset(
        short_bandit_tasks=20_000,
        tasks=2_000,
        search_tasks=2_000,
        long_search_tasks=500,
        seeds=(0, 1, 2),
    ),
    "paper": Preset(
        short_bandit_tasks=200_000,
        tasks=20_000,
        search_tasks=20_000,
        long_search_tasks=4_000,
        seeds=(0, 1, 2),
    ),
}


@dataclass(frozen=True)
class Row:
    """One row of a table: n episodes in each task; k arms, or None for MDPs."""

    table: Table
    n: int
    k: int | None = None

    @property
    def name(self) -> str:
        """For folders, such as "bandits-n10-k5"."""
        return f"{self.table}-n{self.n}" + ("" if self.k is None else f"-k{self.k}")

    @property
    def text(self) -> str:
        """As commands name it, such as "10,5"."""
        return str(self.n) if self.k is None else f"{self.n},{self.k}"

    @property
    def title(self) -> str:
        """What the row plays, in words."""
        if self.k:
            return f"Bernoulli bandits, {self.k} arms, {self.n} pulls"
        return f"Random MDPs (10 states, 5 actions, horizon 10), {self.n} episodes"

    @property
    def id(self) -> str:
        """Of the distribution."""
        return "RandomMDP-v0" if self.k is None else "BernoulliBandit-v0"

    @property
    def arguments(self) -> dict[str, Any]:
        """Of the distribution."""
        return {} if self.k is None else {"arms": self.k}

    @property
    def budget(self) -> Episodes:
        """All n episodes are scored."""
        return Episodes(self.n)

    def distribution(self) -> TaskDistribution:
        """Return what is played."""
        return make(self.id, **self.arguments)

    def num_tasks(self, preset: Preset) -> int:
        """Test tasks under `preset`."""
        return preset.short_bandit_tasks if self.k is not None and self.n <= 10 else preset.tasks

    def search_tasks(self, preset: Preset) -> int:
        """Training tasks on which free parameters are searched."""
        return preset.search_tasks if self.n <= 10 else preset.long_search_tasks

    def paper(self, column: Column) -> float | None:
        """Return the paper's figure for `column`, if it has one."""
        table = rl2_table(self.table)
        match = table[(table["n"] == self.n) & (table["agent"] == column.paper)]
        match = match if self.k is None else match[match["k"] == self.k]
        return float(match["paper"].item()) if len(match) else None


def parse_row(table: Table, text: str) -> Row:
    """Return the row that `text` names: "10,5" (n, k) of the bandits, "10" (n) of the MDPs.

    Raises:
        ValueError: the paper's table has no such row.
    """
    if table not in TABLES:
        raise ValueError(f"There is no table {table!r}; choose {' or '.join(TABLES)}.")
    paper = rl2_table(table)
    keys = ["n", "k"] if table == "bandits" else ["n"]
    known = [
        ",".join(str(value) for value in key)
        for key in paper[keys].drop_duplicates().itertuples(index=False)
    ]
    if text.replace(" ", "") not in known:
        raise ValueError(f"The table of {table} has no row {text!r}; it has {' '.join(known)}.")
    return Row(table, *(int(part) for part in text.split(",")))


def named_row(name: str) -> Row:
    """Return the row of that `Row.name`.

    Raises:
        ValueError: the paper's tables have no such row.
    """
    match = re.fullmatch(r"(bandits|mdps)-n(\d+)(?:-k(\d+))?", name)
    if match is None:
        raise ValueError(f"Rows are named like bandits-n100-k5 or mdps-n10, not {name!r}.")
    table, n, k = match.groups()
    return parse_row(table, n if k is None else f"{n},{k}")  # type: ignore[arg-type]
