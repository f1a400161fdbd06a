"""How the registries look a name up: among their own, what code added, other packages' entry points, and `module:attribute`."""

import importlib
import inspect
import re
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

__all__ = ["ARTICLES", "add", "known_ids", "look_up", "name_of", "shown"]

IDS = {  # kind -> (what its ids look like, an example)
    "distribution": (re.compile(r"[A-Za-z][\w.-]*-v\d+"), "MyMaze-v0"),
    "learner": (re.compile(r"[A-Za-z][\w.-]*"), "my-learner"),
    "agent": (re.compile(r"[A-Za-z][\w.-]*"), "my-agent"),
}

ARTICLES = {"distribution": "a", "learner": "a", "agent": "an"}

_added: dict[str, dict[str, Any]] = {}  # group -> id -> what was added in this process


def known_ids(own: dict[str, str], group: str) -> list[str]:
    """Return every id of the registry `own`, of what was added to `group`, and of its entry points."""
    return sorted({*own, *_added.get(group, {}), *(point.name for point in entry_points(group=group))})


def add(kind: str, name: str, thing: Any, own: dict[str, str], group: str) -> None:
    """Make `thing` known as `name` in this process.

    What was defined anew under the same name, as when a notebook's cell runs again, takes the place of its former self.

    Raises:
        ValueError: no id for its kind, or one that something else has.
    """
    pattern, example = IDS[kind]
    if not isinstance(name, str) or not pattern.fullmatch(name):
        version = ", which ends in a version" if kind == "distribution" else ""
        raise ValueError(f"The id of {ARTICLES[kind]} {kind} is such as {example!r}{version}; {shown(name)} isn't.")
    before = _added.setdefault(group, {}).get(name)
    again = before is not None and _origin(before) == _origin(thing)
    if name in known_ids(own, group) and not again:
        raise ValueError(f"There is {ARTICLES[kind]} {kind} {name!r} already: choose another id.")
    _added[group][name] = thing


def look_up(kind: str, name: str, own: dict[str, str], group: str, needs: Sequence[str] = ()) -> Any:
    """Return the object registered as `name`, or the one that `name` points to as "module:attribute".

    Args:
        kind: what it is, for the error, such as "distribution".
        name: the id.
        own: this package's registry, id -> "module:attribute".
        group: the entry-point group in which other packages register theirs, and what `add` adds to.
        needs: attributes that such an object has.

    Raises:
        ValueError: nothing is registered under `name`, it can't be imported, or it isn't of its kind.
    """
    if not isinstance(name, str):
        raise ValueError(f"The id of {ARTICLES[kind]} {kind} is needed, such as {IDS[kind][1]!r}, not {shown(name)}.")
    if name in own:
        module, attribute = own[name].split(":")
        return getattr(importlib.import_module(module), attribute)
    found = _of_others(kind, name, group) if ":" not in name else _imported(kind, name)
    if found is None:
        known = known_ids(own, group)
        near = [id for id in known if id.casefold() == name.casefold()] or get_close_matches(name, known, 1, 0.4)
        raise ValueError(
            f"There is no {kind} {name!r}." + (f" Did you mean {near[0]!r}?" if near else "") + f" Known: {', '.join(known)}. "
            "One of your own is named module:attribute, or known after metarl.register in the same process."
        )
    missing = [each for each in needs if not hasattr(found, each)]
    if missing:
        raise ValueError(f"{name!r} is {shown(found)} and no {kind}: it lacks {', '.join(missing)}.")
    return found


def name_of(kind: str, thing: Any, own: dict[str, str], group: str) -> str:
    """Return the name under which `look_up` finds `thing`: its id, or "module:attribute".

    Raises:
        ValueError: there is none, as for a class within a function.
    """
    path = f"{thing.__module__}:{thing.__qualname__}"
    candidates = [name for name, place in own.items() if place == path]
    candidates += [name for name, added in _added.get(group, {}).items() if added is thing]
    candidates += [point.name for point in entry_points(group=group) if point.value.replace(" ", "") == path]
    if not candidates and "<locals>" not in path:
        candidates = [path]
    if not candidates:
        raise ValueError(f'Nobody else can find {shown(thing)}: metarl.register("my-{kind}", {thing.__name__}, "{kind}") names it.')
    return candidates[0]


def shown(value: Any) -> str:
    """Return a few words that tell a reader what `value` is, for sentences about what should have been given."""
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"


def _of_others(kind: str, name: str, group: str) -> Any:
    """Return what was added, or what another package registered; None where nothing has that name."""
    if name in _added.get(group, {}):
        return _added[group][name]
    for point in entry_points(group=group):
        if point.name == name:
            return point.load()
    return None


def _imported(kind: str, name: str) -> Any:
    """Return what "module:attribute" points to.

    Raises:
        ValueError: there is no such module or attribute, or importing the module fails.
    """
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), *attribute.split(".")]) or module.endswith(".py"):
        advice = f" Leave .py out: {module.removesuffix('.py')}:{attribute}." if module.endswith(".py") else ""
        raise ValueError(f"Name your own {kind} as module:attribute, such as my_module:MyThing, not as {name!r}.{advice}")
    try:
        found = importlib.import_module(module)
    except SystemExit as error:
        raise ValueError(
            f'The module {module!r} ends the program when it is imported: put what it does as a script behind if __name__ == "__main__":.'
        ) from error
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            raise ValueError(
                f"There is no module {module!r} for the {kind} {name!r}. "
                f"Be in the folder that holds {module.split('.')[0]}.py, or add that folder to PYTHONPATH."
            ) from error
        raise ValueError(f"The module {module!r} can't be imported: {type(error).__name__}: {error}.") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            near = get_close_matches(part, dir(found), 1, 0.6)
            raise ValueError(
                f"The module {module!r} has no {attribute!r} for the {kind} {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            )
        found = getattr(found, part)
    return found


def _origin(thing: Any) -> tuple[Any, Any, Any]:
    """Return where `thing` was defined: the same for a definition that ran again."""
    return type(thing), getattr(thing, "__module__", None), getattr(thing, "__qualname__", id(thing))
