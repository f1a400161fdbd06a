"""The trainings of transfer."""

import pytest

from benchmarks.coin_run.runs import COIN_RUN_LEVELS, coin_run_run


@pytest.mark.parametrize("levels", COIN_RUN_LEVELS)
def test_runs_on_coin_run_take_two_million_steps_or_what_the_paper_took(levels):
    def steps(preset):
        config = coin_run_run(levels, preset).config
        return config.num_envs * config.steps * config.iterations

    assert steps("cpu") >= 2_000_000
    assert steps("paper") == 256_000_000
    assert steps("smoke") < 1000
    assert coin_run_run(levels).arguments == {
        "levels": levels,
        "difficulty": "easy",
        "horizon": 250,
    }
