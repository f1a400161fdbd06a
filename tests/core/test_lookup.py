"""Names are looked up in the own registry first, then among the entry points of other packages."""

from typing import Any, NamedTuple

import pytest

from metarl.core import lookup as entries
from metarl.core.lookup import known_ids, look_up

OWN = {"fraction": "fractions:Fraction", "decimal": "decimal:Decimal"}


class Point(NamedTuple):
    """What matters of an entry point."""

    name: str
    loaded: Any

    def load(self) -> Any:
        return self.loaded


@pytest.fixture
def _installed(monkeypatch):
    points = {
        "some.group": [Point("theirs", int), Point("fraction", str)],
        "another.group": [Point("elsewhere", float)],
    }
    monkeypatch.setattr(entries, "entry_points", lambda group: points.get(group, []))


@pytest.mark.usefixtures("_installed")
def test_known_ids_are_sorted_and_of_the_group():
    assert known_ids(OWN, "some.group") == ["decimal", "fraction", "theirs"]
    assert known_ids(OWN, "no.group") == ["decimal", "fraction"]


@pytest.mark.usefixtures("_installed")
def test_the_own_registry_comes_first():
    from fractions import Fraction

    assert look_up("number", "fraction", OWN, "some.group") is Fraction
    assert look_up("number", "theirs", OWN, "some.group") is int


@pytest.mark.usefixtures("_installed")
def test_an_unknown_name_says_what_is_known():
    with pytest.raises(
        ValueError,
        match=(
            r"There is no number 'fractoin'\. Did you mean 'fraction'\? Known: decimal, fraction,"
            r" theirs\."
        ),
    ):
        look_up("number", "fractoin", OWN, "some.group")
    with pytest.raises(
        ValueError, match=r"There is no number 'qqq'\. Known: decimal, fraction, theirs\."
    ):
        look_up("number", "qqq", OWN, "some.group")


def test_real_entry_points_are_read():
    assert known_ids({}, "console_scripts")  # pytest's own, at least
