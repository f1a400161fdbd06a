"""Trainings of shared hierarchies.

Each ablation is made, and the policy for all tasks plays as many steps.
"""

import pytest

from benchmarks.mlsh.runs import (
    ABLATIONS,
    MOVING_BANDITS,
    OTHERS,
    SEEDS,
    TWO_WALK,
    alone,
    bandits_run,
    four_rooms_run,
    other_run,
    shared_run,
    two_walk_run,
)
from metarl.learners.hierarchy.mlsh import PAPER


@pytest.mark.parametrize("ablation", [None, *ABLATIONS])
@pytest.mark.filterwarnings("ignore:MLSH without a warm-up")
def test_every_training_can_be_made(ablation):
    run = bandits_run(ablation, 3)
    assert run.seed == 3
    assert run.make_learner(run.make_distribution()).config is run.config
    assert (run.config == MOVING_BANDITS) == (ablation is None)


def test_settings_are_the_papers_and_seeds_five():
    assert (
        (MOVING_BANDITS.warmup_updates, MOVING_BANDITS.option_length, MOVING_BANDITS.steps)
        == (PAPER.warmup_updates, PAPER.option_length, PAPER.steps)
        == (9, 10, 2000)
    )
    assert len(SEEDS) == 5


def test_the_policy_for_all_tasks_plays_as_many_steps():
    shared = shared_run().config
    own = MOVING_BANDITS
    assert (
        shared.num_envs * shared.steps * shared.iterations == own.iterations * own.tasks * own.steps
    )
    assert shared.fine_tuning_steps == own.steps


def test_a_single_policy_has_the_settings_of_sub_policies():
    single = alone(TWO_WALK, 2000)
    assert (
        single.sub_policies,
        single.option_length,
        single.master_only_features,
        single.fine_tune_after,
    ) == (1, 2000, 0, 0)
    assert (single.sub_policy, single.steps, single.network) == (
        TWO_WALK.sub_policy,
        TWO_WALK.steps,
        TWO_WALK.network,
    )


@pytest.mark.parametrize(
    "run",
    [two_walk_run(2), four_rooms_run("any", 2), *(other_run(name) for name in OTHERS)],
    ids=lambda run: run.distribution,
)
def test_other_trainings_can_be_made(run):
    learner = run.make_learner(run.make_distribution())
    assert learner.config is run.config
