"""How the registries of distributions, agents and learners look a name up, entry points of other packages included."""

import importlib
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

__all__ = ["known_ids", "look_up"]


def known_ids(own: dict[str, str], group: str) -> list[str]:
    """Every id of the registry `own` and of the entry points in `group`."""
    return sorted({*own, *(point.name for point in entry_points(group=group))})


def look_up(kind: str, name: str, own: dict[str, str], group: str) -> Any:
    """The object registered as `name`.

    Args:
        kind: what it is, for the error, such as "distribution".
        name: the id.
        own: this package's registry, id -> "module:attribute".
        group: the entry-point group in which other packages register theirs.

    Raises:
        ValueError: nothing is registered under `name`.
    """
    if name in own:
        module, attribute = own[name].split(":")
        return getattr(importlib.import_module(module), attribute)
    for point in entry_points(group=group):
        if point.name == name:
            return point.load()
    known = known_ids(own, group)
    near = [id for id in known if id.casefold() == name.casefold()] or get_close_matches(name, known, 1, 0.4)
    raise ValueError(f"There is no {kind} {name!r}." + (f" Did you mean {near[0]!r}?" if near else "") + f" Known: {', '.join(known)}.")
