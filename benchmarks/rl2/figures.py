"""All rows of RL²'s Tables 1 and 2 in one picture: how far from random play to the ceiling?"""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from metarl.analysis.figure_style import COLOURS, GREY, heading, legend_below

__all__ = ["NOT_RIVALS", "all_rows_figure", "shares"]

NOT_RIVALS = ("Random", "Known model", "Bayes-optimal")  # neither learned nor designed by hand
LEARNED = "RL²"


def shares(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one line a row: how far RL², the best hand-designed agent and the paper's RL² got from
    random play (0) to the ceiling (1).

    Args:
        tables: "bandits" and "mdps", as `tables.py` writes them.

    Returns:
        Columns row, ceiling ("optimum" or "upper bound"), learned, learned_low, learned_high,
        rival, rival_agent, num_seeds, num_tasks, paper; NaN where missing.
    """
    lines = []
    for name, table in tables.items():
        keys = ["n", "k"] if "k" in table else ["n"]
        for key, part in table.groupby(keys, sort=False):
            means = part.set_index("agent")["mean"]
            if "Random" not in means or pd.isna(means["Random"]):
                continue
            exact = part["optimum"].notna().all()
            low = means["Random"]
            high = part["optimum" if exact else "upper_bound"].iloc[0]

            def share(value: float, low: float = low, high: float = high) -> float:
                return (value - low) / (high - low)

            designed = means.drop(
                [agent for agent in (*NOT_RIVALS, LEARNED) if agent in means]
            ).dropna()
            learned = part[part["agent"] == LEARNED]
            got = learned.iloc[0] if len(learned) else pd.Series(dtype=float)
            size = ", ".join(f"{letter} = {value}" for letter, value in zip(keys, key, strict=True))
            lines.append(
                {
                    "row": f"{'bandit' if name == 'bandits' else 'MDP'} {size}",
                    "ceiling": "optimum" if exact else "upper bound",
                    "learned": share(got.get("mean", float("nan"))),
                    "learned_low": share(got.get("ci_low", float("nan"))),
                    "learned_high": share(got.get("ci_high", float("nan"))),
                    "rival": share(designed.max()) if len(designed) else float("nan"),
                    "rival_agent": designed.idxmax() if len(designed) else "",
                    "num_seeds": got.get("num_seeds", float("nan")),
                    "num_tasks": got.get("num_tasks", float("nan")),
                    "paper": share(got.get("paper", float("nan"))),
                }
            )
    return pd.DataFrame(lines)


def all_rows_figure(tables: dict[str, pd.DataFrame]) -> Figure:
    """RL², the best hand-designed agent and the paper's RL² in every row, from random play (0) to
    the optimum or upper bound (1).
    """
    table = shares(tables)
    if table.empty:
        raise ValueError("There is no row to draw: a row needs the random agent's score.")
    figure = Figure(figsize=(8.0, 1.6 + 0.48 * len(table)), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    places = range(len(table) - 1, -1, -1)
    spread = [table["learned"] - table["learned_low"], table["learned_high"] - table["learned"]]
    axes.hlines(places, 0, 1, color="#e5e5e5", linewidth=1, zorder=0)
    # So far apart that no mark covers another.
    above = [place + 0.3 for place in places]
    below = [place - 0.3 for place in places]
    hollow: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": GREY}
    axes.plot(table["paper"], above, "s", markersize=6, label="RL² in the paper", **hollow)
    axes.plot(
        table["rival"],
        below,
        "o",
        markersize=5,
        color=COLOURS[0],
        label="best hand-designed agent here",
    )
    bars: dict[str, Any] = {
        "fmt": "D",
        "markersize": 5,
        "color": COLOURS[4],
        "markerfacecolor": "white",
        "capsize": 3,
    }
    axes.errorbar(table["learned"], places, xerr=spread, label="RL² here, 95 % interval", **bars)
    axes.axvline(1, color="black", linewidth=1.2)
    for place, entry in zip(places, table.to_dict("records"), strict=True):
        place_right: Any = {
            "xycoords": ("axes fraction", "data"),
            "textcoords": "offset points",
            "va": "center",
        }
        axes.annotate(
            entry["ceiling"], (1, place), (4, 0), fontsize=8, color="#555555", **place_right
        )
    axes.set_yticks(list(places), table["row"])
    axes.tick_params(axis="y", length=0)
    most = table[["learned_high", "rival", "paper"]].max().max()
    axes.set_xlim(0.0, max(1.0, most if pd.notna(most) else 1.0) + 0.01)
    axes.set_xlabel("share of the way from random play (0) to the ceiling (1)")
    axes.set_ylim(-0.7, len(table) - 0.3)
    legend_below(figure)
    note = (
        f"n: pulls or episodes, k: arms; median of {_several(table['num_seeds'], 'seeds')};"
        f" intervals over {_several(table['num_tasks'], 'test tasks')}, within the mark where none"
        " shows"
    )
    heading(axes, "RL² in all rows of Duan et al. 2016, Tables 1 and 2", note)
    return figure


def _several(counts: pd.Series, what: str) -> str:
    """Return how many, such as "20,000 to 200,000 test tasks"."""
    known = counts.dropna().astype(int)
    if known.empty:
        return f"no {what}"
    few = known.min()
    many = known.max()
    return f"{few:,} {what}" if few == many else f"{few:,} to {many:,} {what}"
