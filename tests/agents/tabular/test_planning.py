"""Planning in tabular models.

Against brute force, against the families' own solver, and against a linear program.
"""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from metarl.agents.tabular.planning import action_values, expected_values, optimistic_values
from metarl.tasks.mdps.random_mdp import RandomMDP, optimal_values


def laid_out(tasks):
    """(rewards [B, S * A], transitions [B, S', S * A]) of tasks."""
    n, states, actions = tasks.reward_means.shape
    return (
        tasks.reward_means.reshape(n, -1),
        tasks.transitions.permute(0, 3, 1, 2).reshape(n, states, states * actions).contiguous(),
    )


def test_backward_induction_is_the_best_of_all_policies():
    tasks = RandomMDP(2, 2, 3).sample(5, "train", 0)
    rewards, transitions = laid_out(tasks)
    values = action_values(rewards, expected_values(transitions), 2, 3)
    for i in range(5):
        best = np.full(2, -np.inf)
        for policy in itertools.product(range(2), repeat=6):
            value = np.zeros(2)
            for t in reversed(range(3)):
                acts = policy[2 * t : 2 * t + 2]
                value = np.array(
                    [
                        tasks.reward_means[i, s, a] + tasks.transitions[i, s, a].numpy() @ value
                        for s, a in enumerate(acts)
                    ]
                )
            best = np.maximum(best, value)
        assert np.allclose(values[i, 0].amax(-1).numpy(), best)


@pytest.mark.parametrize("sizes", [(10, 5, 10), (3, 4, 1), (1, 2, 5), (4, 1, 3)])
def test_backward_induction_agrees_with_the_solver_of_the_family(sizes):
    states, _, horizon = sizes
    tasks = RandomMDP(*sizes).sample(7, "train", 1)
    rewards, transitions = laid_out(tasks)
    wanted = optimal_values(tasks.reward_means, tasks.transitions, horizon)[1]
    # Weights needn't sum to 1
    scale = torch.rand(7, 1, transitions.shape[2], dtype=torch.float64) + 0.5
    assert torch.allclose(
        action_values(rewards, expected_values(transitions * scale), states, horizon), wanted
    )


@pytest.mark.parametrize("seed", range(4))
def test_extended_value_iteration_solves_its_linear_program(seed):
    rng = np.random.default_rng(seed)
    states = 5
    pairs = 6
    centres = rng.dirichlet(np.full(states, 0.4), pairs)
    values = rng.normal(size=states)
    if seed == 3:
        values[1] = values[3] = values.max()  # ties among the best
    radius = np.array([0.0, 0.1, 0.5, 1.2, 2.0, 9.0])
    found = optimistic_values(
        torch.from_numpy(centres.T)[None].contiguous(), torch.from_numpy(radius)[None]
    )(torch.from_numpy(values)[None])
    for i in range(pairs):  # variables: the distribution q and bounds d on |q - centre|
        eye = np.eye(states)
        bounds = np.vstack(
            [
                np.hstack([eye, -eye]),
                np.hstack([-eye, -eye]),
                np.r_[np.zeros(states), np.ones(states)],
            ]
        )
        limits = np.r_[centres[i], -centres[i], radius[i]]
        total = np.r_[np.ones(states), np.zeros(states)][None]
        solution = linprog(np.r_[-values, np.zeros(states)], bounds, limits, total, [1.0])
        assert solution.success
        assert found[0, i].item() == pytest.approx(-solution.fun, abs=1e-7)


def test_optimism_without_a_radius_is_none_and_with_all_is_the_best():
    tasks = RandomMDP(6, 3, 4).sample(4, "train", 2)
    rewards, transitions = laid_out(tasks)
    none = torch.zeros_like(rewards)
    plain = action_values(rewards, expected_values(transitions), 6, 4)
    assert torch.allclose(action_values(rewards, optimistic_values(transitions, none), 6, 4), plain)
    values = torch.randn(4, 6, dtype=torch.float64)
    assert torch.allclose(
        optimistic_values(transitions, none + 2)(values), values.amax(1, keepdim=True).expand(4, 18)
    )
