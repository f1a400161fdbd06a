"""How a check fails: one sentence that says what is wrong, and one that says what to do."""

from metarl.core.errors import PlugInError

__all__ = ["require"]


def require(condition: bool, problem: str, remedy: str) -> None:
    """Raise PlugInError with `problem` and `remedy` unless `condition` holds."""
    if not condition:
        raise PlugInError(f"{problem} {remedy}")
