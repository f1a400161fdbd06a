"""Search an agent's free parameters on training tasks, as Duan et al.

2016 did for their baselines.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from metarl.agents.registry import agent_class, make_agent
from metarl.core.budget import Budget, Episodes
from metarl.core.task_distribution import TaskDistribution
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.scores import task_codes
from metarl.evaluation.statistics import standard_error

__all__ = ["Search", "search"]


class Search(NamedTuple):
    """What a search found."""

    best: dict[str, float]  # the parameters to give to `make_agent`; empty where the agent has none
    table: pd.DataFrame  # one row a grid point: the parameters, mean score, std_error of that mean


def search(
    agent_id: str,
    distribution: TaskDistribution,
    budget: Budget = Episodes(10, 0),
    num_tasks: int = 10_000,
    seed: int = 0,
    *,
    score: str = "total",
    device: str | torch.device = "cpu",
    fixed: Mapping[str, Any] | None = None,
) -> Search:
    """Score every point of the agent's grid on the same training tasks with the same noise; the
    best mean wins.

    Of points that score alike the first in the grid wins. Held-out tasks are never touched.

    Args:
        agent_id: id in the registry of agents; its class says what to search in `grid`.
        distribution, budget: what to play.
        num_tasks: tasks of the split "train".
        seed: names the tasks and the noise.
        score: what to maximise, as for `Evaluation.scores`.
        device: where to play.
        fixed: parameters that aren't searched.

    Raises:
        ValueError: unknown agent, one that can't play the distribution, or unknown score.
    """
    given = dict(fixed or {})
    grid = {
        name: values for name, values in agent_class(agent_id).grid.items() if name not in given
    }
    points: list[dict[str, Any]] = (
        [dict(zip(grid, values, strict=True)) for values in product(*grid.values())] if grid else []
    )
    rows = []
    for point in points:
        agent = make_agent(agent_id, distribution, budget, **given, **point)
        scores = evaluate(
            agent, distribution, "train", num_tasks, seed, budget, device=device
        ).scores(score)
        rows.append(
            {
                **point,
                "mean": float(scores.mean()),
                "std_error": standard_error(np.asarray(scores), task_codes(num_tasks, [scores])),
            }
        )
    table = pd.DataFrame(rows, columns=[*grid, "mean", "std_error"])
    return Search(points[int(table["mean"].argmax())] if points else {}, table)
