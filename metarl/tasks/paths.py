"""Paths as people type them and as shells take them back."""

import shlex
from pathlib import Path

__all__ = ["as_path", "pasteable"]


def as_path(path: str | Path) -> Path:
    """Return `path` with a leading ~ or ~user in its home folder's place, which shells leave alone in --folder=~/run.

    Raises:
        ValueError: there is no such user, or nothing is named.
    """
    if path == "":
        raise ValueError("A path can't be empty; write . for the folder that you are in.")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path} begins with {Path(path).parts[0]}, but there is no such user's home folder; write it in full.") from error


def pasteable(path: str | Path) -> str:
    """Return `path` as a word of a shell's command that means this very file: quoted, and never read as a flag or a home folder."""
    text = str(path)
    if text.startswith("-"):
        text = f"./{text}"
    elif text.startswith("~"):
        text = str(Path(text).absolute())
    return shlex.quote(text)
