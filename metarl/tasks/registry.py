"""Every task distribution by its id; other packages add theirs through the entry-point group `metarl.distributions`."""

from typing import TYPE_CHECKING, Any

from metarl.tasks.entries import known_ids, look_up

if TYPE_CHECKING:  # the ids must be known without importing PyTorch
    from metarl.tasks.contract import TaskDistribution

__all__ = ["DISTRIBUTIONS", "GROUP", "distribution_ids", "distribution_class", "make"]

GROUP = "metarl.distributions"

DISTRIBUTIONS = {
    "BernoulliBandit-v0": "metarl.tasks.bernoulli_bandit:BernoulliBandit",
    "GaussianBandit-v0": "metarl.tasks.gaussian_bandit:GaussianBandit",
    "Identity-v0": "metarl.tasks.identity:Identity",
    "RandomMDP-v0": "metarl.tasks.random_mdp:RandomMDP",
}


def distribution_ids() -> list[str]:
    """All ids that `make` knows."""
    return known_ids(DISTRIBUTIONS, GROUP)


def distribution_class(id: str) -> Any:
    """The class or factory registered under `id`."""
    return look_up("distribution", id, DISTRIBUTIONS, GROUP)


def make(id: str, **arguments: Any) -> "TaskDistribution":
    """Build the distribution registered under `id`, such as `make("BernoulliBandit-v0", arms=10)`.

    Raises:
        ValueError: unknown id, or arguments that the distribution refuses.
    """
    factory = distribution_class(id)
    try:
        return factory(**arguments)
    except TypeError as error:
        raise ValueError(f"{id} can't be made with {arguments}: {error}") from error
