"""Sonic's published scores: complete, and columns agree with their means."""

import pytest

from benchmarks.sonic.published import sonic_table
from metarl.tasks.games.sonic_levels import sonic_levels


def test_each_agent_has_every_test_level_and_their_mean():
    table = sonic_table()
    levels = {each.level.state for each in sonic_levels() if each.split == "test"}
    for agent in ("Rainbow", "JERK", "PPO", "Joint PPO", "Joint Rainbow", "Human"):
        own = table[table["agent"] == agent].set_index("level")["score"]
        assert set(own.index) == levels | {"all"}
        assert own.drop("all").mean() == pytest.approx(own["all"], abs=0.1)
    assert set(table["trust"]) == {"quoted", "recalled"}


def test_the_contest_has_its_winners_and_its_baselines():
    scores = sonic_table("contest").set_index("agent")["score"]
    assert scores["Dharmaraja"] == 4692
    assert scores["Joint PPO"] == 4070
    assert len(scores) == 8


def test_there_are_no_others():
    with pytest.raises(ValueError, match="choose paper or contest"):
        sonic_table("demo")
