"""Exact optima and upper bounds of Bernoulli bandits with uniform priors.

The Bayes-optimal value is a dynamic program over posterior counts. Arms are exchangeable, so a
state is a multiset of (successes, failures) pairs; it is keyed by a sum of fixed random 64-bit
words, one for each pair, which no order changes. The relaxation prices pulls instead of limiting
them (Whittle 1988): it splits into single arms and bounds the optimum from above.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize_scalar

__all__ = [
    "MAX_STATES",
    "BernoulliTable",
    "bernoulli_optimum",
    "bernoulli_relaxation",
    "bernoulli_table",
    "pair_code",
    "state_count",
]

MAX_STATES = 8_000_000  # tables beyond this are not enumerated


def pair_code(successes: np.ndarray, failures: np.ndarray) -> np.ndarray:
    """Cantor's pairing: a number for each (successes, failures), 0 for a fresh arm."""
    total = successes + failures
    return total * (total + 1) // 2 + failures


@dataclass(frozen=True, eq=False)
class BernoulliTable:
    """Bayes-optimal values for k arms and n pulls.

    Attributes:
        arms: k. pulls: n.
        words: [codes] int64, the random word of each arm state; a state's key is the sum over its
            arms, wrapping.
        keys: n + 1 sorted arrays; keys[t] are the states with t pulls made.
        values: n + 1 arrays; values[t][i] is the best expected sum of the n - t rewards to come.
    """

    arms: int
    pulls: int
    words: np.ndarray
    keys: tuple[np.ndarray, ...]
    values: tuple[np.ndarray, ...]


def state_count(arms: int, pulls: int) -> int:
    """Return how many states `bernoulli_table(arms, pulls)` has, counted without enumerating them."""
    arms = min(arms, pulls)
    counts = np.zeros(
        (arms + 1, pulls + 1)
    )  # [arms touched, pulls made], as floats: only the size matters
    counts[0, 0] = 1
    for size in range(1, pulls + 1):
        # Size + 1 pairs have this many pulls; each may be held by any number of arms
        for _ in range(size + 1):
            for touched in range(1, arms + 1):
                counts[touched, size:] += counts[touched - 1, : pulls + 1 - size]
    return int(min(counts.sum(), 2.0**62))


@lru_cache(maxsize=4)
def bernoulli_table(arms: int, pulls: int) -> BernoulliTable:
    """Enumerate all states layer by layer, then back up values.

    Raises:
        ValueError: more than MAX_STATES states.
    """
    if state_count(arms, pulls) > MAX_STATES:
        raise ValueError(
            f"The exact optimum of {arms} arms and {pulls} pulls has more than {MAX_STATES:,}"
            " states; use the Gittins agent instead."
        )
    width = min(arms, pulls)  # an arm beyond the number of pulls is never touched
    success, failure = _pairs(pulls)
    total = success + failure
    words = np.random.default_rng(20161109).integers(
        -(2**63), 2**63, size=len(success), dtype=np.int64
    )
    success_child = pair_code(success + 1, failure)
    failure_child = pair_code(success, failure + 1)
    with np.errstate(over="ignore"):
        layers = [np.zeros((1, width), np.int32)]
        keys = [layers[0].shape[1] * words[:1]]
        for _ in range(pulls):
            states = layers[-1]
            children = []
            for child in (success_child, failure_child):
                for arm in range(width):
                    following = states.copy()
                    following[:, arm] = child[states[:, arm]]
                    children.append(following)
            candidates = np.concatenate(children)
            key, first = np.unique(words[candidates].sum(1), return_index=True)
            layers.append(candidates[first])
            keys.append(key)
        values = [np.zeros(len(keys[-1]))]
        for t in reversed(range(pulls)):
            states = layers[t]
            best = np.full(len(layers[t]), -np.inf)
            for arm in range(width):
                code = states[:, arm]
                rest = keys[t] - words[code]
                mean = (success[code] + 1) / (total[code] + 2)
                win = values[0][np.searchsorted(keys[t + 1], rest + words[success_child[code]])]
                lose = values[0][np.searchsorted(keys[t + 1], rest + words[failure_child[code]])]
                best = np.maximum(best, mean * (1 + win) + (1 - mean) * lose)
            values.insert(0, best)
    return BernoulliTable(arms, pulls, words, tuple(keys), tuple(values))


def bernoulli_optimum(arms: int, pulls: int) -> float | None:
    """Return the Bayes-optimal expected total of `pulls` pulls of `arms` arms, p ~ U[0, 1].

    None where there are too many states.
    """
    if pulls > 200 or state_count(arms, pulls) > MAX_STATES:
        return None
    return float(bernoulli_table(arms, pulls).values[0][0])


@lru_cache(maxsize=64)
def bernoulli_relaxation(arms: int, pulls: int) -> float:
    """Return the Lagrangian bound min over prices λ >= 0 of [n λ + k V(λ)], V(λ) the value of
    optimally stopped pulls of one arm at λ each.
    """
    bound = minimize_scalar(
        lambda price: pulls * price + arms * _stopping_value(price, pulls),
        bounds=(0.0, 1.0),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(bound.fun)


def _stopping_value(price: float, pulls: int) -> float:
    value = np.zeros(pulls + 1)  # by successes, after `made` pulls
    for made in reversed(range(pulls)):
        successes = np.arange(made + 1)
        mean = (successes + 1) / (made + 2)
        value = np.maximum(
            0.0, mean * (1 + value[1 : made + 2]) + (1 - mean) * value[: made + 1] - price
        )
    return float(value[0])


def _pairs(pulls: int) -> tuple[np.ndarray, np.ndarray]:
    """Successes and failures of every arm state with up to pulls + 1 pulls, in the order of
    `pair_code`.
    """
    total = np.concatenate([np.full(t + 1, t) for t in range(pulls + 2)])
    failures = np.concatenate([np.arange(t + 1) for t in range(pulls + 2)])
    return total - failures, failures
