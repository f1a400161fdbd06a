"""Every exact and hand-designed agent by its id.

Other packages add theirs through the entry-point group `metarl.agents`.
"""

import inspect
from typing import Any

from metarl.core.agent import Agent
from metarl.core.budget import Budget, Episodes, Steps, as_budget
from metarl.core.learner import PolicyLearner, SupervisedLearner, TrainsSeeds
from metarl.core.lookup import known_ids, look_up, shown
from metarl.core.registry import check_arguments, task_distribution
from metarl.core.reveal import reveal
from metarl.core.task_distribution import TaskDistribution

__all__ = ["AGENTS", "GROUP", "agent_class", "agent_names", "as_agent", "make_agent"]

GROUP = "metarl.agents"

AGENTS = {
    "random": "metarl.agents.random:RandomAgent",
    "do-nothing": "metarl.agents.do_nothing:DoNothing",
    "bandit-greedy": "metarl.agents.bandits.greedy:BanditGreedy",
    "bandit-epsilon-greedy": "metarl.agents.bandits.greedy:BanditEpsilonGreedy",
    "ucb1": "metarl.agents.bandits.ucb1:UCB1",
    "thompson": "metarl.agents.bandits.thompson:Thompson",
    "optimistic-thompson": "metarl.agents.bandits.thompson:OptimisticThompson",
    "gittins": "metarl.agents.bandits.gittins:Gittins",
    "bayes-optimal": "metarl.agents.bandits.bayes_optimal:BayesOptimal",
    "jerk": "metarl.agents.scripted.jerk:JERK",
    "known-arm": "metarl.agents.bandits.known_arm:KnownArm",
    "mdp-greedy": "metarl.agents.tabular.greedy:MDPGreedy",
    "mdp-epsilon-greedy": "metarl.agents.tabular.greedy:MDPEpsilonGreedy",
    "psrl": "metarl.agents.tabular.psrl:PSRL",
    "opsrl": "metarl.agents.tabular.opsrl:OPSRL",
    "ucrl2": "metarl.agents.tabular.ucrl2:UCRL2",
    "beb": "metarl.agents.tabular.beb:BEB",
    "known-model": "metarl.agents.tabular.known_model:KnownModel",
    "known-goal": "metarl.agents.scripted.known_goal:KnownGoal",
    "shared-goal": "metarl.agents.scripted.shared_goal:SharedGoal",
    "random-master": "metarl.agents.scripted.random_master:RandomMaster",
    "known-maze": "metarl.agents.mazes.known_maze:KnownMaze",
    "maze-explorer": "metarl.agents.mazes.explorer:MazeExplorer",
    "scripted-expert": "metarl.agents.scripted.meta_world_expert:ScriptedExpert",
}


def agent_names(distribution: TaskDistribution | None = None) -> list[str]:
    """Return all ids that `make_agent` knows, or those of the agents that can play `distribution`."""
    names = known_ids(AGENTS, GROUP)
    return (
        names
        if distribution is None
        else [name for name in names if agent_class(name).supports(distribution)]
    )


def agent_class(id: str) -> Any:
    """Return the class registered under `id`.

    It is built as `AgentClass(distribution, budget, **parameters)` and has, beside an `Agent`'s
    methods, `id`, `label` (as tables print it), `grid` (free parameters and the values to search)
    and the class method `supports(distribution)`.
    """
    return look_up("agent", id, AGENTS, GROUP, needs=("act", "supports"))


def make_agent(
    id: str, distribution: TaskDistribution | str, budget: Budget | int, **parameters: Any
) -> Agent:
    """Build the agent registered under `id` for `distribution` and `budget`, such as
    `make_agent("ucb1", bandit, Episodes(10, 0), c=0.2)`.

    Raises:
        ValueError: unknown id, a distribution that the agent can't play, or parameters that it
            doesn't have or refuses.
    """
    kind = agent_class(id)
    if isinstance(distribution, Episodes | Steps):
        raise ValueError(
            "The distribution comes before the budget: make_agent(id, distribution, budget)."
        )
    distribution = task_distribution(distribution)
    budget = as_budget(budget)
    if not kind.supports(distribution):
        able = [name for name in agent_names(distribution) if name != id]
        told = (
            f" It must be told the task: it plays {distribution.id}/revealed."
            if _plays_revealed(kind, distribution)
            else ""
        )
        raise ValueError(
            f"The agent {id!r} can't play {distribution!r}; agents that can:"
            f" {', '.join(able) or 'none'}.{told}"
        )
    own = list(inspect.signature(kind).parameters)[2:]
    unknown = sorted(set(parameters) - set(own))
    if unknown:
        raise ValueError(
            f"The agent {id!r} has no parameter {unknown[0]!r}; it has {', '.join(own) or 'none'}."
        )
    parameters = check_arguments(f"The agent {id!r}", kind, parameters)
    try:
        return kind(distribution, budget, **parameters)
    except TypeError as error:
        raise ValueError(f"The agent {id!r} can't be made with {parameters}: {error}") from error


def as_agent(agent: Any, distribution: TaskDistribution, budget: Budget) -> Agent:
    """Return `agent`, the one that a learner has trained so far, or the one whose id it is.

    Raises:
        ValueError: it is none of these, or a learner of several seeds.
    """
    if isinstance(agent, str) and "/" in agent:
        raise ValueError(
            f"There is no agent {agent!r}. Where that is the folder of a run, give"
            f" metarl.load_agent({agent!r})."
        )
    if isinstance(agent, str):
        return make_agent(agent, distribution, budget)
    if inspect.isclass(agent):
        arguments = (
            "config, distribution, seed=0" if hasattr(agent, "update") else "distribution, budget"
        )
        raise ValueError(
            f"An agent is needed, not {shown(agent)}: make one, such as"
            f" {agent.__name__}({arguments})."
        )
    if isinstance(agent, Agent):
        return agent
    if isinstance(agent, SupervisedLearner):
        raise ValueError(
            f"{agent!r} learned from examples: score its adapter() with metarl.evaluate_supervised."
        )
    if not isinstance(agent, PolicyLearner):
        near = (
            " A model of Stable-Baselines3 becomes one by metarl.from_sb3(model)."
            if hasattr(agent, "predict")
            else ""
        )
        raise ValueError(
            f"An agent has the methods initial_state and act; {shown(agent)} lacks them.{near}"
        )
    seeds = agent.seeds if isinstance(agent, TrainsSeeds) else (0,)
    if len(seeds) > 1:
        raise ValueError(
            f"This learner trains the seeds {', '.join(map(str, seeds))}: score"
            " learner.agent(budget, seed_index) of each."
        )
    return agent.agent(budget)


def _plays_revealed(kind: Any, distribution: TaskDistribution) -> bool:
    """Return whether an agent can play a distribution once each task is told."""
    try:
        return bool(kind.supports(reveal(distribution)))
    except ValueError:  # it can't be told
        return False
