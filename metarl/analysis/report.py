"""A page about a suite, or any folder of runs: leaderboard, curves, pictures, figures, run cards.

The page is one HTML file that needs no network. Its layout and script are in `report_page/`; what
it shows is JSON inside it.
"""

import base64
import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from metarl.analysis.animation import frames, gif_bytes
from metarl.analysis.leaderboard import leaderboard
from metarl.core.budget import Episodes
from metarl.core.registry import make
from metarl.evaluation.recording import record
from metarl.runs.config import RunConfig
from metarl.runs.evaluations import (
    family_in_words,
    label_of_learner,
    read_evaluation,
)
from metarl.runs.load import load_agent
from metarl.runs.store import RunFolder, find_runs

__all__ = ["report_page"]

POINTS = 80  # of a training's curve
MOST_PICTURE_BYTES = 300_000  # a family
NOTES = {
    "normalised": "0 = Random, 1 = the optimum where it can be computed, else an upper bound."
    " Below each score its 95 % interval, over training seeds and, within them, distinct tasks;"
    " of one seed, over tasks alone. – stands where an agent wasn't scored. Select a score for its n"
    " and the command that makes it again.",
    "value": "Means, with 95 % intervals over training seeds and, within them, distinct tasks.",
    "iqm": "Interquartile means, of the middle half of all scores, with 95 % intervals.",
    "gap": "The mean on training tasks less the mean on these, with 95 % intervals.",
    "episodes": "Mean return of each episode over test tasks, first training seed; bands: 95 %"
    " intervals over distinct tasks.",
    "steps": "The same against environment steps in the task, by an episode's mean length.",
    "training": "Each training's return on its own training tasks, as metrics.csv has it.",
}


def report_page(
    roots: Sequence[Path],
    title: str,
    *,
    reasons: Mapping[str, Mapping[str, str]] | None = None,
    figures_file: Path | None = None,
    pictures: bool = True,
) -> str:
    """Return the page.

    Args:
        roots: folders of runs and scores.
        title: of the page.
        reasons: by agent's label and family, why there is no score.
        figures_file: a figures.csv that is shown, if it is there.
        pictures: play the best trained agent of each family that draws pictures, for a moment.

    Raises:
        ValueError: nothing in the folders was scored.
    """
    board = leaderboard(roots)
    told = [each for root in roots for each in _evaluations(root)]
    runs = _runs(roots)
    order = list(dict.fromkeys(board["family"]))
    data = {
        "board": _records(board, roots),
        "families": order,
        "agents": list(dict.fromkeys(board["label"])),
        "splits": list(dict.fromkeys(board["split"])),
        "reasons": {label: dict(each) for label, each in (reasons or {}).items()},
        "notes": NOTES,
        "adaptations": _adaptations(told),
        "trainings": [each for run in runs for each in _training(run)],
        "pictures": _pictures(board, runs) if pictures else [],
        "figures": _figures(figures_file),
        "cards": [_card(run) for run in runs],
    }
    page = files("metarl.analysis") / "report_page"
    subtitle = (
        f"{len(data['agents'])} agents, {len(order)} families, {len(runs)} trainings;"
        " made by metarl report"
    )
    return Template((page / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        subtitle=html.escape(subtitle),
        style=(page / "style.css").read_text(encoding="utf-8"),
        script=(page / "script.js").read_text(encoding="utf-8"),
        # No end of a script inside one
        data=json.dumps(_plain(data), ensure_ascii=False).replace("</", "<\\/"),
    )


def _records(board: pd.DataFrame, roots: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the rows, with commands that don't name folders of this machine."""
    shown = board.drop(columns=["arguments", "runs"])
    for root in roots:
        if root.is_absolute():
            shown["command"] = shown["command"].str.replace(f"{root.parent}/", "", regex=False)
    return [{str(name): each for name, each in row.items()} for row in shown.to_dict("records")]


def _evaluations(root: Path) -> Iterable[dict[str, Any]]:
    """Each evaluation's description, with the family in words."""
    for file in sorted(root.rglob("evaluations/*.json")):
        try:
            told = json.loads(file.read_text())
            stored = read_evaluation(file)
        except (OSError, ValueError, KeyError):  # the leaderboard has warned of it
            continue
        if "by_episode" in told and stored.split == "test":
            family = family_in_words(stored.distribution, stored.config)
            yield {"label": stored.label, "family": family, "curve": told["by_episode"]}


def _adaptations(told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each agent's curve on each family, of its first seed."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for each in told:
        key = (each["family"], each["label"])
        found.setdefault(key, {"family": key[0], "label": key[1], **each["curve"]})
    return list(found.values())


def _runs(roots: Sequence[Path]) -> list[RunFolder]:
    """Return the runs below the folders, each once, published copies of one left out."""
    found: dict[str, RunFolder] = {}
    for root in roots:
        for run in find_runs(root):
            found.setdefault(f"{run.digest} {run.path.name}", run)
    return list(found.values())


def _training(run: RunFolder) -> list[dict[str, Any]]:
    metrics = run.metrics
    if not {"steps", "return"} <= set(metrics) or not len(metrics):
        return []
    every = max(1, len(metrics) // POINTS)
    shown = metrics[["steps", "return"]].rolling(every, min_periods=1).mean().iloc[::every]
    identity = run.identity
    return [
        {
            "family": _family(identity),
            "label": _label(run),
            "seed": ", ".join(map(str, identity["seeds"])),
            "points": shown.to_numpy().round(4).tolist(),
        }
    ]


def _family(identity: Mapping[str, Any]) -> str:
    return family_in_words(identity["distribution"], identity["arguments"])


def _label(run: RunFolder) -> str:
    """Return how tables print a run's agent: as its scores say, else by its learner."""
    for file in sorted(run.path.glob("evaluations/*.json")):
        label = json.loads(file.read_text()).get("label")
        if label:
            return str(label)
    return label_of_learner(run.identity["learner"])


def _card(run: RunFolder) -> dict[str, Any]:
    description = run.description
    metrics = run.metrics
    steps = int(metrics["steps"].iloc[-1]) if "steps" in metrics and len(metrics) else 0
    seconds = float(metrics["seconds"].iloc[-1]) if "seconds" in metrics and len(metrics) else 0.0
    seeds = ", ".join(map(str, description["seeds"]))
    told = {
        name: description[name]
        for name in ("learner", "distribution", "arguments", "seeds", "config", "versions")
        if name in description
    }
    return {
        "name": run.path.name,
        "summary": f"seed {seeds}, {steps:,} steps, {seconds:,.0f} s,"
        f" commit {str(description.get('commit') or 'unknown')[:10]}",
        "command": _command(description),
        "told": told | {"created": description.get("created"), "commit": description.get("commit")},
    }


def _command(description: Mapping[str, Any]) -> str:
    """Return what trains the like; settings are in the card."""
    arguments = " ".join(
        f"{name}={json.dumps(value)}" for name, value in description["arguments"].items()
    )
    words = f"metarl train {description['learner']} --distribution {description['distribution']}"
    seeds = " ".join(map(str, description["seeds"]))
    given = f" --distribution-args {arguments}" if arguments else ""
    return f"{words}{given} --seed {seeds}"


def _pictures(board: pd.DataFrame, runs: Sequence[RunFolder]) -> list[dict[str, str]]:
    """Return an animation of the best trained agent of each family that draws pictures."""
    found = []
    known = {run.path.resolve(): run for run in runs if run.weights().exists()}
    test = board[(board["split"] == "test") & (board["seeds"] > 0)]
    for family, own in test.groupby("family", sort=False):
        for row in own.sort_values("value", ascending=False).to_dict("records"):
            folders = [Path(each).resolve() for each in row["runs"]]
            run = next((known[each] for each in folders if each in known), None)
            source = None if run is None else _animation(run)
            if source is not None:
                title = f"{family}: {row['label']}, two episodes in a test task"
                found.append({"title": title, "source": source})
                break
    return found


def _animation(run: RunFolder) -> str | None:
    """Return an agent's play as a data URI; None where there is nothing to show, or too much."""
    config = RunConfig.from_identity(run.identity)
    distribution = make(config.distribution, **config.arguments)
    budget = Episodes(2)
    try:
        recording = record(load_agent(run.path, budget), distribution, "test", 1, 0, budget)
        picture = gif_bytes(frames(recording))
    except (ValueError, OSError):  # it draws nothing, or isn't made for two episodes
        return None
    if len(picture) > MOST_PICTURE_BYTES:
        return None
    return f"data:image/gif;base64,{base64.b64encode(picture).decode()}"


def _figures(file: Path | None) -> list[dict[str, str]]:
    if file is None or not file.is_file():
        return []
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    rows = []
    for row in table.to_dict("records"):
        known = row["ci_low"] not in ("", "nan", "-inf")
        interval = f"{row['ci_low']} to {row['ci_high']}" if known else ""
        shown = {name: str(row[name]) for name in ("figure", "wanted", "n", "reached", "command")}
        value = "missing" if row["value"] in ("", "nan") else str(row["value"])
        rows.append({**shown, "value": value, "interval": interval})
    return rows


def _plain(value: Any) -> Any:
    """Return JSON values: what isn't a number, or isn't finite, is null."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
