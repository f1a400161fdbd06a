"""Which actions of a game run and jump, for agents that are told so."""

from typing import NamedTuple

__all__ = ["Running"]


class Running(NamedTuple):
    """Actions of a Discrete space of a game in which one runs to the right.

    A distribution has one as its attribute `running`.
    """

    still: int
    left: int
    right: int
    jump_left: int
    jump_right: int
