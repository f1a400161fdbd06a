"""Maps of sub-policies, and what options tell of tasks."""

import numpy as np
import pytest
import torch

from benchmarks.mlsh.figures import likely_actions, option_information, option_maps
from metarl.analysis.figures import save
from metarl.learners.hierarchy.mlsh import MLSH, MLSHConfig
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.moving_bandits import MovingBandits

CONFIG = MLSHConfig(option_length=5, steps=20, sub_policies=3, network=PerceptronConfig((8,)))


def learner():
    made = MLSH(CONFIG, MovingBandits(horizon=10), 1)
    for k in range(3):
        # The first always goes right, the second left, the third up
        made.sub_policies.weights[-1][k, k + 1] = 50.0
    return made


def test_information_is_known_for_hand_made_options():
    tasks = np.array([0, 0, 1, 1])
    told = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
    assert option_information(told, tasks) == pytest.approx(1.0)
    assert option_information(np.array([[0, 1, 0, 1]]), tasks) == pytest.approx(0.0, abs=1e-12)
    # The second task takes the second option three times of four
    often = np.array([[0, 0, 0, 1], [0, 0, 1, 1]])
    p = np.array([[0.5, 0.125], [0.0, 0.375]])
    wanted = (
        0.5 * np.log2(0.5 / (0.625 * 0.5))
        + 0.125 * np.log2(0.125 / (0.625 * 0.5))
        + 0.375 * np.log2(0.375 / (0.375 * 0.5))
    )
    assert p.sum() == 1.0
    assert option_information(often, tasks) == pytest.approx(wanted)


def test_likely_actions_are_each_sub_policys():
    assert likely_actions(learner(), torch.rand(7, 6)).tolist() == [[1] * 7, [2] * 7, [3] * 7]


def test_maps_are_drawn(tmp_path):
    save(option_maps(learner()), tmp_path / "maps.png")
    assert (tmp_path / "maps.png").stat().st_size > 10_000


def test_every_column_names_its_sub_policy():
    figure = option_maps(learner(), "one training, seed 0")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["sub-policy 1", "sub-policy 2", "sub-policy 3", "", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == [
        "goals, pair 1 of 2",
        "goals, pair 2 of 2",
    ]
    assert "one training, seed 0" in figure.get_suptitle()
