"""Where sub-policies walk.

Paths from an environment whose answer is known, and angles worked out by hand.
"""

import numpy as np
import pytest
import torch

from benchmarks.mlsh.figures import Walks, angles, draw_walks, own_axes, walks
from metarl.analysis.figures import save
from metarl.learners.hierarchy.mlsh import MLSH, MLSHConfig
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.mujoco.ant_two_walk import AntTwoWalk


def test_each_sub_policy_walks_by_itself():
    config = MLSHConfig(
        sub_policies=3, option_length=5, master_only_features=2, network=PerceptronConfig((8,))
    )
    learner = MLSH(config, AntTwoWalk(shows_place=True, horizon=20), 1)
    for k in range(3):
        learner.sub_policies.weights[-1][k] += 3.0 * (k - 1)  # torques of all joints
    found = walks(learner, learner.distribution, 4, 0)
    assert found.paths.shape == (3, 4, 21, 2)
    assert np.allclose(found.paths[0][:, 0], found.paths[1][:, 0])  # the same starts
    assert not np.allclose(found.paths[0][:, -1], found.paths[2][:, -1], atol=1e-3)
    assert np.allclose(found.displacement, (found.paths[:, :, -1] - found.paths[:, :, 0]).mean(1))
    assert bool(torch.isfinite(torch.from_numpy(found.paths)).all())


def test_angles_are_to_each_ones_own_axis():
    axes = np.array([[5.0, 0.0], [0.0, 5.0]])
    assert own_axes(np.array([[0.0, 2.0], [1.0, 0.0]]), axes).tolist() == [[0, 5], [5, 0]]
    assert own_axes(np.array([[1.0, 1.0], [1.0, 0.0]]), axes).tolist() == [[0, 5], [5, 0]]
    assert angles(
        np.array([[1.0, 1.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]]), axes[0]
    ) == pytest.approx([45, 0, 180, 90])
    alike = np.array([[3.0, 0.1], [3.0, 0.0]])
    assert angles(alike, own_axes(alike, axes)) == pytest.approx(
        [90 - np.degrees(np.arctan2(0.1, 3)), 0]
    )
    with pytest.raises(ValueError, match="an axis each"):
        own_axes(np.ones((3, 2)), axes)


def test_walks_are_drawn(tmp_path):
    figure = draw_walks(Walks(np.cumsum(np.ones((2, 3, 10, 2)), 2)), "one training, seed 3")
    assert any("seed 3" in text.get_text() for text in figure.axes[0].texts)
    save(figure, tmp_path / "walks.png")
    assert (tmp_path / "walks.png").stat().st_size > 5_000
