"""Which variables of a game stable-retro's scenario looks at.

At every frame stable-retro copies the game's memory, so as to know by how much each variable
changes; that takes a fifth of a frame's time. As long as none changes that the scenario looks at,
there is nothing to know.
"""

from collections.abc import Iterable
from typing import Any

__all__ = ["Variable", "watched"]

Variable = tuple[int, str]  # its address and type, as stable-retro's `Memory.extract` takes them

REWARDED = {"reward", "penalty"}  # by the change of a variable, and nothing else
ENDED = {"op", "reference"}  # by the value of a variable


def watched(scenario: dict[str, Any], data: dict[str, Any]) -> tuple[Variable, ...] | None:
    """Return the variables that a frame's reward and the episode's end depend on.

    While they stay as they are, a frame pays nothing and ends no episode that went on until then.

    Args:
        scenario: a scenario.json of stable-retro. data: the data.json of its game.

    Returns:
        None where more than variables' changes and values counts: a script, frames, several
        players, a change that has to be of some size.
    """
    names: set[str] = set()
    if not all(isinstance(each, dict) for each in (scenario, data, data.get("info"))):
        return None
    if not _plain(scenario.get("reward", {}), REWARDED, names) or not _plain(
        scenario.get("done", {}), ENDED, names
    ):
        return None
    known = data["info"]
    if "rewards" in scenario or "scripts" in scenario or not names <= set(known):
        return None
    return tuple((known[name]["address"], known[name]["type"]) for name in sorted(names))


def _plain(rule: Any, allowed: Iterable[str], names: set[str]) -> bool:
    """Return whether a rule is one of variables, specified by what is `allowed`.

    Their names are added to `names`.
    """
    if not isinstance(rule, dict) or not set(rule) <= {"variables", "condition", "nodes"}:
        return False
    variables = rule.get("variables", {})
    nodes = rule.get("nodes", {})
    if not isinstance(variables, dict) or not isinstance(nodes, dict):
        return False
    names.update(variables)
    plain = all(isinstance(each, dict) and set(each) <= set(allowed) for each in variables.values())
    return plain and all(_plain(node, allowed, names) for node in nodes.values())
