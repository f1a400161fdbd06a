"""A failed check says what is wrong and what to do."""

import pytest

from metarl.checks.require import require
from metarl.core.errors import PlugInError


def test_it_raises_both_sentences():
    with pytest.raises(PlugInError, match=r"^The reward is lost\. Hand it on\.$"):
        require(False, "The reward is lost.", "Hand it on.")


def test_it_lets_what_holds_pass():
    require(True, "Never said.", "Never said.")
