"""Meta-World's scripts as reference agents: above doing nothing on both scores."""

import pytest

from metarl.agents.do_nothing import DoNothing
from metarl.agents.scripted.meta_world_expert import ScriptedExpert
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.evaluation.statistics import paired_difference
from metarl.tasks.metaworld.meta_world import MetaWorldML1, MetaWorldML10

BUDGET = Episodes(1, 0)


@pytest.mark.parametrize(("task", "horizon"), [("reach-v3", 500), ("door-open-v3", 200)])
def test_the_expert_is_above_doing_nothing_on_both_scores(task, horizon):
    shown = MetaWorldML1(task, horizon, goal_visible=True)
    hidden = MetaWorldML1(task, horizon)
    expert = evaluate(ScriptedExpert(shown, BUDGET), shown, "test", 6, 0, BUDGET)
    nothing = evaluate(DoNothing(hidden, BUDGET), hidden, "test", 6, 0, BUDGET)
    assert expert.fingerprint == nothing.fingerprint
    assert (expert.length == horizon).all()
    assert (nothing.length == horizon).all()
    assert paired_difference(expert.scores("total"), nothing.scores("total")).difference.low > 0
    assert (expert.scores("success") == 1).all()
    assert (nothing.scores("success") == 0).all()


@pytest.mark.parametrize(
    "make",
    [MetaWorldML1, lambda: MetaWorldML10(goal_visible=True)],
    ids=["goal hidden", "many kinds of task"],
)
def test_it_plays_one_task_whose_goal_is_shown(make):
    distribution = make()
    assert not ScriptedExpert.supports(distribution)
    with pytest.raises(ValueError, match="MetaWorldML1-v0 with goal_visible=True"):
        ScriptedExpert(distribution, BUDGET)
