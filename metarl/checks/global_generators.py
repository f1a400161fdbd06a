"""Whether anything drew from the random generators of Python, NumPy or PyTorch that all code shares."""

from collections.abc import Iterator
from contextlib import contextmanager

from metarl.checks.require import require
from metarl.tasks.global_generators import global_states

__all__ = ["global_generators_untouched"]


@contextmanager
def global_generators_untouched(who: str) -> Iterator[None]:
    """Fail if the block within draws from a global generator, or seeds it.

    Args:
        who: what runs in the block, for the message.

    Raises:
        PlugInError: names the generator that was touched.
    """
    before = global_states()
    yield
    touched = [name for name, state in global_states().items() if state != before[name]]
    require(
        not touched,
        f"{who} touched the global generator of {' and '.join(touched)}.",
        "Draw from the generator or the seed that is given as an argument (see metarl.tasks.seeding).",
    )
