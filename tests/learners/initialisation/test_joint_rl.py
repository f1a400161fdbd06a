"""Joint training: the mean policy gradient, nothing adapted in training, fine-tuned at test."""

import torch

from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.inner_loop import broadcast, task_gradients
from metarl.learners.initialisation.joint_rl import JointRL, JointRLConfig
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.point_navigation import PointNavigation
from tests.learners.initialisation.test_maml_rl import TASKS, made


def test_the_gradient_is_the_mean_over_tasks():
    learner, _, query = made("box", JointRL)
    found = learner.meta_gradient(learner.problem, learner.initial, [], query)
    wanted = task_gradients(learner.problem, broadcast(learner.initial, TASKS), query)
    for one, other in zip(found.gradients, wanted.gradients, strict=True):
        assert torch.allclose(one, other.mean(0))


def test_it_plays_each_task_once_an_iteration_and_its_agent_fine_tunes():
    distribution = PointNavigation(horizon=10)
    adaptation = Adaptation(episodes=8, inner_lr=1.0)
    learner = JointRL(
        JointRLConfig(tasks=5, adaptation=adaptation, network=PerceptronConfig((16,))), distribution
    )
    assert learner.update()["steps"] <= 5 * 8 * 10
    budget = Episodes(24, after=8)
    returns = evaluate(learner.agent(budget), distribution, "train", 60, 0, budget).matrix()
    assert returns[:, -8:].mean() > returns[:, :8].mean() + 0.5
