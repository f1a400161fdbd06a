"""Distributions by their ids."""

import re

import numpy as np
import pytest

import metarl
from metarl.core import lookup as entries
from metarl.core.registry import DISTRIBUTIONS, distribution_class, distribution_ids, make
from metarl.core.reveal import Revealed
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from tests.core.test_lookup import Point
from tests.playable import playable_ids


@pytest.mark.parametrize("id", [id for id in playable_ids() if id in DISTRIBUTIONS])
def test_every_id_makes_a_distribution_of_that_id(id):
    distribution = make(id)
    assert distribution.id == id
    assert (
        repr(distribution)
        == f"metarl.make({id!r}"
        + "".join(f", {k}={v!r}" for k, v in distribution.config().items())
        + ")"
    )
    again = eval(repr(distribution), {"metarl": metarl})
    assert again.config() == distribution.config()


def test_arguments_reach_the_distribution():
    assert make("BernoulliBandit-v0", arms=7).action_space.n == 7
    assert distribution_class("BernoulliBandit-v0") is BernoulliBandit


def test_an_unknown_id_names_the_nearest_and_all_others():
    with pytest.raises(
        ValueError,
        match=re.escape("no distribution 'BernouliBandit-v0'. Did you mean 'BernoulliBandit-v0'?"),
    ) as caught:
        make("BernouliBandit-v0")
    assert all(id in str(caught.value) for id in DISTRIBUTIONS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"legs": 2}, "there is no argument legs; its arguments are arms.$"),
        ({"arms": 2.5}, "arms must be a whole number, not 2.5"),
        ({"arms": "x"}, "arms must be a whole number, not 'x'"),
        ({"arms": True}, "arms must be a whole number, not True"),
        ({"arms": None}, "arms must be a whole number, not None"),
        ({"arms": 0}, "at least one arm"),
    ],
)
def test_arguments_that_it_refuses_are_a_value_error(arguments, words):
    with pytest.raises(ValueError, match=words):
        make("BernoulliBandit-v0", **arguments)


def test_numbers_and_truth_values_are_told_apart():
    assert (
        make("GaussianBandit-v0", arms=np.int64(3), noise=2, prior_std=np.float64(0.5)).noise == 2
    )
    with pytest.raises(ValueError, match="noise must be a number, not 'loud'"):
        make("GaussianBandit-v0", noise="loud")
    with pytest.raises(ValueError, match="terminates must be true or false, not 3"):
        make("Identity-v0", terminates=3)


def test_a_factory_that_takes_any_name_or_declares_nothing_decides_itself(monkeypatch):
    points = [
        Point("Any-v0", lambda **own: BernoulliBandit(**own)),
        Point("Some-v0", lambda arms: BernoulliBandit(arms)),
    ]
    monkeypatch.setattr(entries, "entry_points", lambda group: points)
    assert make("Any-v0", arms=2).arms == make("Some-v0", arms=2).arms == 2
    with pytest.raises(ValueError, match="can't be made with {}: .*arms"):
        make("Some-v0")


def test_a_factory_that_makes_no_distribution_is_refused(monkeypatch):
    monkeypatch.setattr(
        entries,
        "entry_points",
        lambda group: [Point("None-v0", lambda: None), Point("Three-v0", 3)],
    )
    with pytest.raises(ValueError, match="None-v0 should make a TaskDistribution .* it made None"):
        make("None-v0")
    with pytest.raises(ValueError, match="Three-v0 is 3, which makes no distribution"):
        make("Three-v0")


def test_other_packages_register_theirs_by_entry_point(monkeypatch):
    monkeypatch.setattr(
        entries, "entry_points", lambda group: [Point("TwoArms-v0", lambda: BernoulliBandit(2))]
    )
    assert "TwoArms-v0" in distribution_ids()
    assert make("TwoArms-v0").arms == 2


def test_a_distribution_with_its_tasks_told_has_an_id_too():
    told = make("BernoulliBandit-v0/revealed", arms=2)
    assert isinstance(told, Revealed)
    assert (told.id, told.config()) == ("BernoulliBandit-v0/revealed", {"arms": 2})
    with pytest.raises(ValueError, match="no argument legs"):
        make("BernoulliBandit-v0/revealed", legs=2)
