"""Which actions of a game run and jump, for agents that are told so."""

from typing import NamedTuple, Protocol, runtime_checkable

__all__ = ["Running", "SaysRunning"]


class Running(NamedTuple):
    """Actions of a Discrete space of a game in which one runs to the right.

    A distribution has one as its attribute `running`.
    """

    still: int
    left: int
    right: int
    jump_left: int
    jump_right: int


@runtime_checkable
class SaysRunning(Protocol):
    """A family of games that says which actions run and jump; None where its actions can't."""

    running: Running | None
