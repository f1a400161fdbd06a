"""learn2learn (Arnold et al.

2020, arXiv 2008.12284), imported only when something of it is used.
"""

import importlib
import io
import warnings
from contextlib import redirect_stderr
from typing import Any

__all__ = ["import_learn2learn"]


def import_learn2learn(who: str) -> Any:
    """Return the module `learn2learn`, without what its own imports print of their age.

    Args:
        who: what needs it, for the error.

    Raises:
        ValueError: it isn't installed.
    """
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            return importlib.import_module("learn2learn")
    except ImportError as error:
        raise ValueError(
            f"{who} needs learn2learn, which can't be imported ({error}): run `make learn2learn`."
        ) from error
