"""What `metarl new` does: it writes a small package for a family, a learner or an agent of one's
own.

A package is a copy of one of `templates/`, which are such packages themselves, under another name.
"""

import ast
import builtins
import keyword
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from metarl.agents.registry import agent_names
from metarl.core.lookup import ARTICLES
from metarl.core.paths import as_path
from metarl.core.registry import distribution_ids, supervised_ids
from metarl.learners.registry import learner_names
from metarl.runs.store import explained, write_file

__all__ = [
    "TEMPLATES",
    "NewOptions",
    "NewTaskOptions",
    "Spellings",
    "first_commands",
    "spellings",
    "write_package",
]

TEMPLATES = Path(__file__).parent / "templates"
MOST_LETTERS = 40  # of a name
# Words of a name: capitals before a word, a word, capitals with numbers
WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+[0-9]*")


@dataclass(frozen=True)
class NewOptions:
    """Where to put the package.

    Attributes:
        folder: of the package, made anew; the name with hyphens if left out, such as my-maze.
    """

    folder: Path | None = None


@dataclass(frozen=True)
class NewTaskOptions(NewOptions):
    """Which family to begin with, and where to put the package.

    Attributes:
        kind: tensor steps thousands of tasks at once; gymnasium plays environments written for
            Gymnasium.
    """

    kind: Literal["tensor", "gymnasium"] = "tensor"


class Spellings(NamedTuple):
    """A name as code and commands spell it."""

    module: str  # my_maze
    title: str  # MyMaze, of classes
    hyphened: str  # my-maze, of the package; of learners and agents in commands

    def id(self, template: str) -> str:
        """Return what `metarl list` shows."""
        return f"{self.title}-v0" if KINDS[template] == "distribution" else self.hyphened


KINDS = {  # template -> what the registry calls its kind
    "new_task": "distribution",
    "new_gymnasium_task": "distribution",
    "new_learner": "learner",
    "new_agent": "agent",
}


def write_package(template: str, name: str, folder: Path | None = None) -> Path:
    """Write a package into a new folder, and return the folder.

    Args:
        template: one of `KINDS`.
        name: of what it brings, as a Python identifier, such as MyMaze or my_maze.
        folder: where; the name with hyphens if left out.

    Raises:
        ValueError: no name for it, a name that is taken, or a folder with something in it.
        StorageError: the folder can't be written.
    """
    own = spellings(name)
    _check_free(template, own)
    folder = as_path(folder or Path(own.hyphened))
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ValueError(f"{folder} exists already: name another folder by --folder.")
    for file in _files(template):
        place = folder / _renamed(file.relative_to(TEMPLATES / template).as_posix(), template, own)
        with explained(place):
            place.parent.mkdir(parents=True, exist_ok=True)
        write_file(place, _renamed(file.read_text(encoding="utf-8"), template, own).encode())
    return folder


def first_commands(folder: Path) -> list[str]:
    """Return the commands that the package's README begins with."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    return text.partition("```sh\n")[2].partition("```")[0].splitlines()


def spellings(name: str) -> Spellings:
    """Return how `name` is spelled.

    Raises:
        ValueError: it is no identifier, or too long.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        near = "_".join(WORDS.findall(name)).lstrip("_0123456789")
        guess = f"; did you mean {near}?" if near else "."
        raise ValueError(
            "A name is made of letters, digits and underscores, and begins with a letter, such as"
            f" MyMaze or my_maze, not {name!r:.60}{guess}"
        )
    if len(name) > MOST_LETTERS:
        raise ValueError(
            f"A name has at most {MOST_LETTERS} letters; {name!r:.60} has {len(name)}."
        )
    words = WORDS.findall(name)
    title = "".join(word[0].upper() + word[1:] for word in words)
    return Spellings("_".join(words).lower(), title, "-".join(words).lower())


def _check_free(template: str, own: Spellings) -> None:
    """Raise ValueError if something else has one of the names."""
    kind = KINDS[template]
    known = {
        "distribution": lambda: distribution_ids() + supervised_ids(),
        "learner": learner_names,
        "agent": agent_names,
    }[kind]()
    if own.id(template) in known:
        raise ValueError(
            f"There is {ARTICLES[kind]} {kind} {own.id(template)!r} already: choose another name."
        )
    if keyword.iskeyword(own.module):
        raise ValueError(f"{own.module!r} is a word of Python's own: choose another name.")
    found = find_spec(own.module)
    # A folder of that name is no module, though Python takes it for a package without a file
    if found is not None and found.origin is not None:
        raise ValueError(
            f"There is a Python module {own.module!r} already, {found.origin}: choose another name."
        )
    used = {*dir(builtins), *_names_used(template)}
    for spelling in (own.title, own.module):
        if spelling in used:
            raise ValueError(
                f"The package's own code uses the name {spelling!r}: choose another name."
            )


def _names_used(template: str) -> set[str]:
    """Return what the modules of a template import and define, but for its own name."""
    used = set()
    for file in _files(template):
        if file.suffix != ".py":
            continue
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                used |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.ClassDef | ast.FunctionDef):
                used.add(node.name)
    return used - set(spellings(template))


def _files(template: str) -> list[Path]:
    """Return the files that a package is made of."""
    folder = TEMPLATES / template
    return [
        folder / "README.md",
        folder / "pyproject.toml",
        *sorted(folder.glob("src/*.py")),
        *sorted(folder.glob("tests/*.py")),
    ]


def _renamed(text: str, template: str, own: Spellings) -> str:
    for before, after in zip(spellings(template), own, strict=True):
        text = text.replace(before, after)
    return text
