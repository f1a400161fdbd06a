"""Trainings in randomised physics: the policies differ in what they read, and in nothing else."""

import pytest

from benchmarks.randomised_physics.runs import FAMILIES, POLICIES, physics_run
from metarl.core.reveal import Revealed


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_cost(family):
    runs = {policy: physics_run(family, policy) for policy in POLICIES}
    budgets = {(run.config.episodes, run.config.num_envs, run.config.ppo) for run in runs.values()}
    assert len(budgets) == 1
    iterations = {policy: run.config.iterations for policy, run in runs.items()}
    assert iterations["told"] == iterations["recurrent"]
    assert (
        iterations["memoryless"]
        == (FAMILIES[family].memoryless_iterations or iterations["recurrent"])
        >= iterations["recurrent"]
    )
    assert [runs[policy].config.network.core == "none" for policy in POLICIES] == [
        False,
        True,
        False,
    ]
    told = runs["told"].make_distribution()
    assert isinstance(told, Revealed)
    plain = runs["memoryless"].make_distribution()
    assert (
        told.sample(5, "extrapolate", 0).fingerprint
        == plain.sample(5, "extrapolate", 0).fingerprint
    )


def test_unknown_names_get_a_sentence():
    with pytest.raises(ValueError, match="Choose a family of cart-pole"):
        physics_run("cart", "told")
    with pytest.raises(ValueError, match="a policy of recurrent"):
        physics_run("cart-pole", "blind")
