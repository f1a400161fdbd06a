"""Trainings of shared hierarchies: each ablation is made, and the policy for all tasks plays as many steps."""

import pytest

from metarl.experiments.mlsh_runs import ABLATIONS, MOVING_BANDITS, SEEDS, bandits_run, shared_run
from metarl.learners.mlsh import PAPER


@pytest.mark.parametrize("ablation", [None, *ABLATIONS])
@pytest.mark.filterwarnings("ignore:MLSH without a warm-up")
def test_every_training_can_be_made(ablation):
    run = bandits_run(ablation, 3)
    assert run.seed == 3
    assert run.make_learner(run.make_distribution()).config is run.config
    assert (run.config == MOVING_BANDITS) == (ablation is None)


def test_settings_are_the_papers_and_seeds_five():
    assert (
        (MOVING_BANDITS.warm_up, MOVING_BANDITS.every, MOVING_BANDITS.steps) == (PAPER.warm_up, PAPER.every, PAPER.steps) == (9, 10, 2000)
    )
    assert len(SEEDS) == 5


def test_the_policy_for_all_tasks_plays_as_many_steps():
    shared, own = shared_run().config, MOVING_BANDITS
    assert shared.num_envs * shared.steps * shared.iterations == own.iterations * own.tasks * own.steps
    assert shared.fine_tuning_steps == own.steps
