"""The learner's protocol.

Who has all of it, and who lacks something. What it promises is checked in
tests/test_conformance.py.
"""

import pytest

from metarl.core.learner import Learner, PolicyLearner
from metarl.learners.memory.rl2 import RL2
from tests.learners.made_tasks import Ragged
from tests.learners.small_rl2 import small

PARTS = ("update", "finished", "agent", "weights", "load_weights", "state_dict", "load_state_dict")


def test_rl2_is_a_learner():
    assert isinstance(RL2(small(), Ragged(), 0), PolicyLearner)


@pytest.mark.parametrize("missing", PARTS)
def test_who_lacks_a_part_is_none(missing):
    parts = {name: lambda self: None for name in PARTS if name != missing}
    almost = type("Almost", (), parts)()
    assert not isinstance(almost, PolicyLearner)
    assert isinstance(almost, Learner) == (missing == "agent")
    whole = type("Whole", (), {**parts, missing: lambda self: None})()
    assert isinstance(whole, PolicyLearner)
