"""MLSH.

The phases of the paper's algorithm, whose steps are whose, resuming in either phase, and that
sub-policies come apart.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from metarl.core.budget import Steps
from metarl.evaluation.protocol import evaluate
from metarl.learners.hierarchy.mlsh import MLSH, PAPER, RELEASED, MLSHConfig
from metarl.learners.hierarchy.options import HierarchyPlayer, as_choices
from metarl.learners.policy_gradient.advantages import estimate_advantages
from metarl.learners.policy_gradient.stacked_ppo import StackedPPO
from metarl.networks.perceptron import PerceptronConfig
from metarl.tasks.control.moving_bandits import MovingBandits
from metarl.tasks.control.point_navigation import PointNavigation
from metarl.tasks.mazes.four_rooms import FourRooms
from metarl.tasks.mazes.visual_maze import VisualMaze
from metarl.tasks.mdps.identity import Identity
from tests.learners.made_tasks import HiddenRule

FAST = StackedPPO(epochs=1, minibatches=1)
SMALL = MLSHConfig(
    option_length=2,
    warmup_updates=2,
    steps=24,
    tasks=3,
    network=PerceptronConfig((8,)),
    master=FAST,
    sub_policy=FAST,
)
TASKS = Identity(4, 8)


def same(stack, other, rows=slice(None)):
    return all(
        torch.equal(one[rows], two[rows])
        for one, two in zip(stack.weights, other.weights, strict=True)
    )


def test_tasks_are_staggered_and_phases_follow_each_other():
    learner = MLSH(SMALL, TASKS)
    assert learner.episodes == 3
    seen = []
    for _ in range(8):
        seen.append(learner.updates.tolist())
        learner.update()
    assert seen[:2] == [[0, -1, -2], [1, 0, -1]]
    assert seen[2:] == [[2, 1, 0], [0, 2, 1], [1, 0, 2]] * 2
    assert learner.tasks_before.tolist() == [2, 2, 2]
    assert MLSH(replace(SMALL, staggered=False), TASKS).updates.tolist() == [0, 0, 0]


def test_no_task_joins_before_its_masters_warm_up():
    learner = MLSH(SMALL, TASKS)
    for _ in range(9):
        assert all(
            taken >= 2
            for taken, phase in zip(learner.masters.taken, learner.updates, strict=True)
            if phase >= 2
        )
        learner.update()


def test_sub_policies_learn_in_the_joint_phase_only_and_masters_always():
    learner = MLSH(replace(SMALL, staggered=False), TASKS)
    for phase in (0, 1, 2, 0):
        subs = learner.sub_policies
        masters = learner.masters
        learner.update()
        assert same(subs, learner.sub_policies) == (phase < 2)
        assert not same(masters, learner.masters)


def test_masters_begin_anew_with_each_task_unless_told_not_to():
    for begin_anew in (True, False):
        learner = MLSH(replace(SMALL, begin_anew=begin_anew), TASKS)
        for _ in range(3):
            learner.update()  # at last the first row was in the joint phase
        first = [
            weight.expand_as(own)
            for weight, own in zip(learner.first_master, learner.masters.weights, strict=True)
        ]
        assert (
            all(
                torch.equal(own[0], fresh[0])
                for own, fresh in zip(learner.masters.weights, first, strict=True)
            )
            == begin_anew
        )
        assert learner.masters.taken.tolist() == ([0, 3, 3] if begin_anew else [3, 3, 3])


def test_a_task_lasts_for_all_its_updates():
    learner = MLSH(replace(SMALL, tasks=8, staggered=False), TASKS)
    kept = []
    original = learner.env.reset

    def reset(source):
        kept.append(
            source(torch.arange(24), torch.zeros(24, dtype=torch.int64)).numbers[::3].tolist()
        )
        return original(source)

    learner.env.reset = reset
    for _ in range(6):
        learner.update()
    assert kept[0] == kept[1] == kept[2] != kept[3] == kept[4] == kept[5]


def test_sub_policies_learn_from_tasks_in_the_joint_phase_alone():
    learner, other = (MLSH(SMALL, TASKS) for _ in range(2))
    for own in (learner, other):
        own.update()
        own.update()  # the first task now joins, the others are warming up
    original = other.play

    def play():
        return tuple(
            part._replace(reward=part.reward + torch.arange(3.0)[:, None] * part.reward.square())
            for part in original()
        )

    other.play = play  # other rewards, but for the first task
    for own in (learner, other):
        own.update()
    assert same(learner.sub_policies, other.sub_policies)
    assert not same(learner.masters, other.masters)


def test_steps_are_as_long_as_shares_of_the_steps():
    moves = {}
    for weigh in (True, False):
        learner = MLSH(
            replace(
                SMALL,
                weigh_by_use=weigh,
                warmup_updates=0,
                sub_policies=1,
                sub_policy=replace(FAST, entropy_coef=0.1),
            ),
            TASKS,
        )
        before = learner.sub_policies.weights[-1].clone()
        with pytest.warns(UserWarning, match="without a warm-up"):
            learner.update()
        moves[weigh] = (learner.sub_policies.weights[-1] - before).abs().max()
    assert moves[True] == pytest.approx(float(moves[False]))  # the only one takes all steps
    for weigh in (True, False):
        learner = MLSH(
            replace(
                SMALL,
                weigh_by_use=weigh,
                warmup_updates=0,
                sub_policy=replace(FAST, entropy_coef=0.1),
            ),
            TASKS,
        )
        learner.masters.weights[-1][:, 0] = 1.0  # three times in four the first
        before = learner.sub_policies.weights[-1].clone()
        with pytest.warns(UserWarning, match="without a warm-up"):
            learner.update()
        moves[weigh] = (learner.sub_policies.weights[-1] - before).abs().max(1).values
    assert float(moves[True][1]) < 0.5 * float(moves[False][1])
    assert float(moves[True][0]) > 0.5 * float(moves[False][0])


def test_the_agent_draws_no_options_uniformly():
    learner = MLSH(replace(SMALL, random_option=1.0), TASKS)
    assert learner.agent(Steps(48)).hierarchy.random_option == 0
    assert learner.hierarchy.random_option == 1


def test_a_master_learns_from_few_choices_of_long_observations():
    learner = MLSH(
        replace(SMALL, tasks=1, steps=160, option_length=8, staggered=False),
        PointNavigation(horizon=8),
    )
    _, choices = learner.play()
    features = torch.randn(
        *choices.observation.shape[:-1], 29, generator=torch.Generator().manual_seed(0)
    )
    final = torch.randn(
        *choices.final_observation.shape[:-1], 29, generator=torch.Generator().manual_seed(1)
    )
    paid = choices._replace(
        observation=features, final_observation=final, reward=choices.action.to(torch.float32)
    )  # the second option pays 1 more
    gain = estimate_advantages(paid, 0.99, 0.98, by_time_alone=True).targets.advantage
    second = paid.action.flatten() == 1
    assert gain.flatten()[second].mean() > 0.5 > -0.5 > gain.flatten()[~second].mean()
    learner.improve_masters(choices._replace(reward=paid.reward))
    weights = learner.masters.weights[-1]
    first = learner.first_master[-1]
    assert float((weights[0, 1] - weights[0, 0]) - (first[1] - first[0])) > 0


def test_a_sub_policy_that_never_acts_stays_as_it_is():
    learner = MLSH(replace(SMALL, staggered=False, warmup_updates=1, sub_policies=3), TASKS)
    learner.update()
    learner.masters.weights[-1][:, 1] = -60.0  # nobody chooses the second
    before = learner.sub_policies
    learner.update()
    assert same(before, learner.sub_policies, slice(1, 2))
    assert not same(before, learner.sub_policies, slice(0, 1))


@pytest.mark.parametrize("updates", [1, 2])  # all are warming up, or the first is about to join
def test_training_resumes_in_either_phase(updates):
    learner = MLSH(SMALL, TASKS, 5)
    other = MLSH(SMALL, TASKS, 5)
    other.update()
    for _ in range(updates):
        learner.update()
    other.load_state_dict(learner.state_dict())
    for _ in range(4):
        assert learner.update() == other.update()
    assert same(learner.sub_policies, other.sub_policies)
    assert same(learner.masters, other.masters)


def returns_of_hidden_rules(seed, updates=50, **settings):
    """Mean returns of new masters and of those warmed up, over the last ten updates of a training."""
    subs = StackedPPO(lr=1e-2, epochs=5, minibatches=4, entropy_coef=0.02)
    config = MLSHConfig(
        option_length=5,
        warmup_updates=4,
        steps=200,
        tasks=10,
        network=PerceptronConfig((16,)),
        master=StackedPPO(lr=0.02, epochs=5, minibatches=2),
        sub_policy=subs,
    )
    learner = MLSH(replace(config, **settings), HiddenRule(), seed)
    played = [learner.update() for _ in range(updates)][-10:]
    return [
        np.mean([metrics[name] for metrics in played]) for name in ("return_first", "return_warm")
    ]


def test_sub_policies_come_apart_for_tasks_that_want_opposites():
    first, warm = returns_of_hidden_rules(seed=1)
    # Of 10; who can't tell the tasks apart gets 5, with a deviation of 0.11 over 200 episodes
    assert warm > 8.5
    assert first < 6.5, "a new master doesn't know its task yet"


def test_presets_differ_as_their_sources_do():
    assert (
        PAPER.warmup_updates,
        PAPER.joint,
        PAPER.option_length,
        PAPER.steps,
        PAPER.sub_policy.lr,
    ) == (9, 1, 10, 2000, 3e-4)
    assert (
        RELEASED.warmup_updates,
        RELEASED.joint,
        RELEASED.option_length,
        RELEASED.steps,
        RELEASED.sub_policy.lr,
    ) == (
        60,
        2,
        10,
        1000,
        3e-5,
    )
    assert RELEASED.random_option == 0.1
    assert PAPER.master.lr == RELEASED.master.lr == 0.01


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: MLSH(MLSHConfig(option_length=7), MovingBandits()),
            "doesn't divide the horizon of MovingBandits-v0, 50",
        ),
        (lambda: MLSHConfig(sub_policies=0), "sub_policies must be at least 1"),
        (lambda: MLSHConfig(warmup_updates=-1), "warmup_updates is a whole number"),
        (lambda: MLSHConfig(fine_tune_after=-1), "fine_tune_after is a whole number"),
        (lambda: MLSHConfig(master_only_features=-1), "master_only_features is a whole number"),
        (
            lambda: MLSH(replace(SMALL, master_only_features=40), TASKS),
            "master_only_features must leave",
        ),
        (lambda: MLSHConfig(random_option=2.0), "random_option is a probability"),
        (lambda: MLSHConfig(act="best"), "act must be"),
        (lambda: MLSHConfig(fine_tune_on="none"), "fine_tune_on 'own' or 'all', not 'none'"),
        (lambda: MLSHConfig(warmup_updates=1.5), "warmup_updates must be a whole number"),
        (lambda: MLSHConfig(log_std=float("nan")), "log_std must be a number"),
        (lambda: MLSHConfig(log_std=2.0), "log_std must lie in"),
        (
            lambda: MLSH(replace(SMALL, sub_policies=3), TASKS).load_weights(
                MLSH(SMALL, TASKS).weights()
            ),
            "rather than .*3, 8, 4",
        ),
        (lambda: MLSH(MLSHConfig(), VisualMaze(2)), "MLSH reads vectors"),
    ],
)
def test_bad_settings_get_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_no_warm_up_is_said_aloud():
    learner = MLSH(replace(SMALL, warmup_updates=0), TASKS)
    before = learner.sub_policies
    with pytest.warns(UserWarning, match="without a warm-up"):
        learner.update()
    assert not same(before, learner.sub_policies)


@pytest.mark.parametrize(
    "distribution", [FourRooms(horizon=10), PointNavigation(horizon=10)], ids=["cells", "plane"]
)
def test_cells_and_planes_are_learned_in_and_acted_in(distribution):
    learner = MLSH(replace(SMALL, option_length=5, sub_policies=3), distribution)
    for _ in range(4):
        assert learner.update()["steps"] > 0
    for stack in (learner.sub_policies, learner.masters):
        assert all(bool(torch.isfinite(weight).all()) for weight in stack.weights)
    budget = Steps(45)
    played = evaluate(learner.agent(budget), distribution, "test", 4, 0, budget)
    assert np.isfinite(played.scores("budget_mean")).all()


def test_choices_that_an_episodes_end_cuts_short_are_paid_what_there_was():
    learner = MLSH(replace(SMALL, option_length=3, steps=6, tasks=40), Identity(4, 6))
    steps, _ = learner.play()
    player = HierarchyPlayer(
        learner.hierarchy,
        learner.masters.weights,
        learner.sub_policies.weights,
        learner.rngs["options"],
    )
    player.chosen = player.log_prob = [torch.zeros(40), torch.zeros(40)]
    lengths = torch.arange(40) % 6 + 1
    valid = torch.arange(6)[:, None, None] < lengths[:, None]
    choices = as_choices(steps._replace(valid=valid), player)
    for i, length in enumerate(lengths.tolist()):
        assert choices.valid[:, i, 0].tolist() == [True, length > 3]
        assert choices.reward[0, i, 0] == steps.reward[: min(3, length), i, 0].sum()
        assert choices.reward[1, i, 0] == steps.reward[3:length, i, 0].sum()
