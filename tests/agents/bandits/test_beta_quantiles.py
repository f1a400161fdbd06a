"""Beta quantiles by table, against SciPy's."""

import numpy as np
import pytest
import torch
from scipy import stats

from metarl.agents.bandits import beta_quantiles as bandit_quantiles
from metarl.agents.bandits.beta_quantiles import beta_quantiles
from metarl.core.seeding import torch_generator


def error(successes, pulls, normal, most_pulls):
    """Error of the quantiles at `normal`, in posterior standard deviations."""
    found = beta_quantiles(
        torch.full_like(normal, successes), torch.full_like(normal, pulls), normal, most_pulls
    )
    exact = stats.beta(1 + successes, 1 + pulls - successes)
    return (
        np.abs(found.double().numpy() - exact.ppf(stats.norm.cdf(normal.double().numpy()))).max()
        / exact.std()
    )


@pytest.mark.parametrize("pulls", [0, 1, 2, 3, 6, 7, 40, 41])
def test_quantiles_of_every_state(pulls):
    normal = torch.linspace(-5, 5, 301)
    assert max(error(successes, pulls, normal, 41) for successes in range(pulls + 1)) < 5e-4


@pytest.fixture
def _small_table(monkeypatch):
    """A table of 100 pulls at most, which is quicker to make.

    What lies beyond is the harder for it.
    """
    monkeypatch.setattr(bandit_quantiles, "MOST_PULLS", 100)


@pytest.mark.usefixtures("_small_table")
@pytest.mark.parametrize(
    ("successes", "pulls"), [(0, 140), (2, 300), (60, 140), (150, 300), (298, 300)]
)
def test_posteriors_beyond_the_table_are_close(successes, pulls):
    assert error(successes, pulls, torch.linspace(-3, 3, 301), 300) < 0.1


@pytest.mark.usefixtures("_small_table")
@pytest.mark.parametrize(("successes", "pulls"), [(0, 0), (3, 8), (0, 100), (50, 100)])
def test_within_a_larger_budget_the_table_is_as_exact(successes, pulls):
    assert error(successes, pulls, torch.linspace(-5, 5, 301), 300) < 5e-4


@pytest.mark.parametrize(("successes", "pulls"), [(0, 0), (4, 5), (0, 30), (11, 30)])
def test_normal_noise_gives_beta_draws(successes, pulls):
    rows = 100_000
    noise = torch.randn(rows, generator=torch_generator(3))
    draws = beta_quantiles(
        torch.full((rows,), float(successes)), torch.full((rows,), float(pulls)), noise, 30
    )
    assert (
        stats.kstest(
            draws.double().numpy(), stats.beta(1 + successes, 1 + pulls - successes).cdf
        ).pvalue
        > 1e-4
    )


@pytest.mark.usefixtures("_small_table")
def test_draws_stay_between_0_and_1_however_extreme_the_noise():
    normal = torch.tensor([-50.0, -6.0, 0.0, 6.0, 50.0])
    for successes, pulls in ((0.0, 0.0), (0.0, 30.0), (30.0, 30.0), (300.0, 300.0), (0.0, 300.0)):
        draws = beta_quantiles(
            torch.full((5,), successes), torch.full((5,), pulls), normal, 30 if pulls <= 30 else 300
        )
        assert ((draws >= 0) & (draws <= 1)).all()
        assert (draws.diff() >= 0).all()
