"""Where a suite is found: in a file, in `benchmarks/` of a checkout, or in another package."""

import hashlib
import importlib.util
import sys
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from metarl.core.paths import as_path
from metarl.suites.suite import Suite, SuiteError

__all__ = ["GROUP", "find_suite", "suite_names"]

GROUP = "metarl.suites"
ATTRIBUTE = "SUITE"


def suite_names() -> list[str]:
    """Return the names of all suites that `find_suite` knows without being told a file."""
    return sorted({*_in_checkout(), *(point.name for point in entry_points(group=GROUP))})


def find_suite(name: str) -> Suite:
    """Return the suite in the file `name`, or the one of that name.

    A file says it as SUITE. The folder of the file is added to Python's path, so that families and
    agents beside it are found as module:attribute, here and in every job.

    Raises:
        SuiteError: there is none, or the file can't be run.
    """
    if name.endswith(".py") or "/" in name:
        return _suite_in(as_path(name), name)
    here = _in_checkout()
    if name in here:
        return _suite_in(here[name], name)
    for point in entry_points(group=GROUP):
        if point.name == name:
            return _checked(point.load(), f"the entry point {name}")
    known = suite_names()
    near = get_close_matches(name, known, 1, 0.4)
    raise SuiteError(
        f"There is no suite {name!r}.{f' Did you mean {near[0]!r}?' if near else ''} Known:"
        f" {', '.join(known) or 'none'}. One of your own is named by its file, such as my_suite.py."
    )


def _in_checkout() -> dict[str, Path]:
    """Return the suites of the folder `benchmarks` that one is in or above, by name."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        files = sorted((folder / "benchmarks").glob("*/suite.py"))
        if files:
            return {file.parent.name: file for file in files}
    return {}


def _suite_in(file: Path, name: str) -> Suite:
    """Return what `file` says is its suite."""
    if not file.is_file():
        raise SuiteError(f"There is no file {file}: name a suite, or the file that defines one.")
    for folder in (file.parent.resolve(), _above_benchmarks(file)):
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
    mark = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:8]
    spec = importlib.util.spec_from_file_location(f"metarl_suite_{mark}", file)
    assert spec is not None, "a Python file has one"
    assert spec.loader is not None, "a Python file has one"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except SuiteError:
        raise
    except Exception as error:
        raise SuiteError(f"{file} can't be run: {type(error).__name__}: {error}") from error
    return _checked(getattr(module, ATTRIBUTE, None), str(file))


def _above_benchmarks(file: Path) -> Path:
    """Return the folder that holds `benchmarks`, for a suite that lies in it; else its own."""
    parents = file.resolve().parents
    inside = len(parents) > 2 and parents[1].name == "benchmarks"
    return parents[2] if inside else parents[0]


def _checked(value: Any, where: str) -> Suite:
    if not isinstance(value, Suite):
        raise SuiteError(
            f"{where} defines no suite: it needs {ATTRIBUTE} ="
            " metarl.suites.suite.Suite(name, presets)."
        )
    return value
