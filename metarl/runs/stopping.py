"""Ctrl-C and SIGTERM while a run trains.

Acknowledged at once, and obeyed within seconds, whatever the iteration takes.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["GRACE", "Stop", "stop_signals"]

GRACE = 2.0  # seconds that the iteration has to come to its end
ACKNOWLEDGED = "Stopping after this iteration; press again to stop now.\n"


class Stop:
    """What was asked for by signals.

    Attributes:
        asked: whether to stop.
    """

    def __init__(self) -> None:
        self.asked = False
        self._may_interrupt = False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Have what runs inside end by KeyboardInterrupt, `GRACE` seconds after the first signal."""
        self._may_interrupt = True
        try:
            yield
        finally:
            self._may_interrupt = False

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take note of a signal; the second one interrupts at once, whatever runs."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        newline = "\n" if sys.stderr.isatty() else ""
        # not by `print`, which the signal may have interrupted
        os.write(2, f"{newline}{ACKNOWLEDGED}".encode())
        signal.setitimer(signal.ITIMER_REAL, GRACE, 1.0)

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Interrupt an iteration whose time is over, again and again should it go on."""
        if self._may_interrupt:
            raise KeyboardInterrupt


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Give what Ctrl-C and SIGTERM ask for from now on, in place of what they did before.

    Outside the main thread, nothing.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    handlers = {signal.SIGINT: stop.ask, signal.SIGTERM: stop.ask, signal.SIGALRM: stop.interrupt}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stop
    finally:
        if stop.asked:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in before.items():
            signal.signal(number, handler)
