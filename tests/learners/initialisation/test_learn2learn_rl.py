"""learn2learn's MAML around a policy: our own MAML's meta-gradients and training curve."""

import sys

import pytest
import torch

import metarl
from metarl.core.supervised import Examples
from metarl.envs.gymnasium_adapter import GymnasiumDistribution
from metarl.learners.initialisation.adapting_policy import Adaptation
from metarl.learners.initialisation.learn2learn_rl import Learn2LearnRL
from metarl.learners.initialisation.maml_rl import MAMLRL
from metarl.learners.initialisation.policy_initialisation import ClippedPPO
from metarl.learners.policy_gradient.advantages import estimate_advantages
from metarl.learners.policy_gradient.trust_region import TRPO
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.point_navigation import PointNavigation
from metarl.tasks.mdps.random_mdp import RandomMDP
from tests.checks.line import Line

FAMILIES = {
    "boxes": lambda: PointNavigation(horizon=6),
    "discrete": lambda: RandomMDP(states=3, actions=2, horizon=5),
    "Gymnasium": lambda: GymnasiumDistribution(
        "Line-v0", Line, {"train": [-2.0, 3.0], "test": [2.0]}, horizon=6
    ),
}
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def pair(family, outer=TRPO(), inner_steps=2):
    adaptation = Adaptation(episodes=4, inner_lr=0.3)
    config = MAMLRL.Config(
        tasks=3,
        inner_steps=inner_steps,
        adaptation=adaptation,
        outer=outer,
        network=PerceptronConfig((8,)),
    )
    return [kind(config, family(), 5) for kind in (MAMLRL, Learn2LearnRL)]


def in_float64(batch: Examples) -> Examples:
    targets = [
        part.double() if torch.is_tensor(part) and part.is_floating_point() else part
        for part in batch.targets
    ]
    return Examples(batch.inputs.double(), type(batch.targets)(*targets))


@every_family
def test_meta_gradients_of_policies_are_learn2learns(family):
    """Second order, through two inner updates, in float64 to 1e-5."""
    own, guest = pair(family)
    tasks = own.distribution.sample(3, "train", 0)
    weights = [weight.expand(3, *weight.shape) for weight in own.initial]
    batches = [
        in_float64(estimate_advantages(own.play(tasks, weights)[0], 0.99, 1.0)) for _ in range(3)
    ]
    initial = [weight.double() for weight in own.initial]
    wanted, found = (
        learner.meta_gradient(own.problem, initial, batches[:2], batches[2])
        for learner in (own, guest)
    )
    assert max(float(gradient.abs().max()) for gradient in wanted.gradients) > 1e-3
    for one, other in zip(found.gradients, wanted.gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-10)
    torch.testing.assert_close(found.losses, wanted.losses)


@every_family
@pytest.mark.parametrize(
    "outer", [TRPO(cg_iterations=3, damping=0.1), ClippedPPO(epochs=3)], ids=["trpo", "ppo"]
)
def test_it_trains_as_our_own_maml_does(family, outer):
    """In float32; many conjugate gradients would magnify what rounding does."""
    own, guest = pair(family, outer, inner_steps=1)
    for _ in range(3):
        assert guest.update() == pytest.approx(own.update(), rel=1e-3, abs=1e-4)
    for one, other in zip(guest.initial, own.initial, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_its_agent_is_scored_like_any_other():
    _, guest = pair(FAMILIES["boxes"])
    guest.update()
    budget = metarl.Episodes(8, after=1)
    scored = metarl.evaluate(guest.agent(budget), guest.distribution, "test", 5, 0, budget)
    assert scored.scores("after_k").shape == (5,)


def test_without_learn2learn_one_sentence_says_how(monkeypatch):
    monkeypatch.setitem(sys.modules, "learn2learn", None)
    with pytest.raises(
        ValueError,
        match="Learn2LearnRL needs learn2learn, which can't be imported .*: run `make learn2learn`",
    ):
        Learn2LearnRL(MAMLRL.Config(), PointNavigation())
