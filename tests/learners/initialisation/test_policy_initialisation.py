"""What learners of a policy's initialisation share.

What they play, what they refuse, what they save.
"""

import pytest
import torch

from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.inner_loop import broadcast
from metarl.learners.initialisation.maml_rl import MAMLRL
from metarl.learners.initialisation.policy_initialisation import ClippedPPO
from metarl.learners.optimizers import Adam
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.point_navigation import PointNavigation
from metarl.tasks.mazes.visual_maze import VisualMaze

PLANE = PointNavigation(horizon=6)


def made(hidden=(8,), seed=0, **settings):
    config = MAMLRL.Config(
        tasks=3, adaptation=Adaptation(episodes=4, **settings), network=PerceptronConfig(hidden)
    )
    return MAMLRL(config, PLANE, seed)


def test_each_task_is_played_with_its_own_weights_in_rows_side_by_side():
    learner = made()
    tasks = PLANE.sample(3, "train", 0)
    weights = [weight.clone() for weight in broadcast(learner.initial, 3)]
    right = torch.tensor([5.0, 0.0])
    for task, direction in enumerate((right, -right, 0 * right)):
        weights[-1][task] = direction  # the last layer's bias: where to go
        weights[0][task] = -5.0  # hardly any deviation
    episodes, observations = learner.play(tasks, weights)
    assert episodes.observation.shape == (6, 3, 4, 2)
    ends = episodes.final_observation[..., 0].mean(1)
    assert ends[0] > 0.2 > ends[2].abs()
    assert ends[1] < -0.2
    assert len(observations) == int(episodes.valid.sum())
    goal = tasks.goal[2].float()
    assert episodes.reward[0, 2].mean().item() == pytest.approx(-float(goal.norm()), abs=0.02)


def test_moments_of_observations_are_learned_between_updates():
    learner = made()
    learner.update()
    moments = learner.inputs.observation_moments
    assert moments.count == learner.steps
    assert moments.variance.min() > 0


def test_ppos_steps_go_on_from_their_moments():
    config = MAMLRL.Config(
        tasks=3, adaptation=Adaptation(episodes=4), outer=ClippedPPO(epochs=3, adam=Adam(1e-2))
    )
    learner = MAMLRL(config, PLANE)
    learner.update()
    learner.update()
    assert learner.adam_state["count"] == 6


def test_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match="another network"):
        made((8,)).load_weights(made((9,)).weights())


def test_there_is_one_seed():
    learner = made(seed=(3,))
    with pytest.raises(ValueError, match="no seed number 1"):
        learner.agent(Episodes(4), 1)
    with pytest.raises(ValueError, match="one seed at a time"):
        made(seed=(3, 4))


def test_a_diverging_inner_loop_is_named_by_task_and_step():
    with pytest.raises(
        ValueError, match=r"The inner loop diverged in iteration 1: after 1 steps in task 0"
    ):
        made(inner_lr=1e38).update()


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"clip": 0}])
def test_bad_settings_get_a_sentence(settings):
    with pytest.raises(ValueError, match="must|positive"):
        ClippedPPO(**settings)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_learns_and_acts_there():
    config = MAMLRL.Config(
        tasks=3, adaptation=Adaptation(episodes=4), network=PerceptronConfig((8,))
    )
    learner = MAMLRL(config, PLANE, device="cuda")
    metrics = [learner.update() for _ in range(2)]
    assert metrics[-1]["kl"] <= config.outer.max_kl
    assert learner.initial[0].is_cuda
    budget = Episodes(8, after=4)
    result = evaluate(learner.agent(budget), PLANE, "test", 5, 0, budget, device="cuda")
    assert result.matrix().shape == (5, 12)


def test_images_get_a_sentence():
    with pytest.raises(ValueError, match="reads vectors; VisualMaze-v0 shows images"):
        MAMLRL(MAMLRL.Config(), VisualMaze())
