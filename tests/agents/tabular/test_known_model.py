"""The agent that is told the MDP."""

import pytest
import torch

from metarl.agents.registry import agent_names
from metarl.agents.tabular.known_model import KnownModel
from metarl.core.budget import Episodes
from metarl.core.reveal import reveal
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.mdps.random_mdp import RandomMDP, RandomMDPTasks, optimal_values


def test_it_scores_its_upper_bound():
    told = reveal(RandomMDP())
    budget = Episodes(10, 0)
    scores = evaluate(KnownModel(told, budget), told, "test", 1000, 0, budget).scores()
    bound = told.upper_bound(told.sample(1000, "test", 0), 10).numpy()
    difference = scores - bound
    assert abs(difference.mean()) < 4 * difference.std() / 1000**0.5
    assert scores.mean() == pytest.approx(218.37, abs=4 * scores.std() / 1000**0.5)


def test_it_follows_the_optimal_policy_of_each_task():
    told = reveal(RandomMDP(5, 3, 4))
    budget = Episodes(3, 0)
    tasks = told.sample(20, "test", 1)
    agent = KnownModel(told, budget)
    env = MetaEpisodeEnv(told, budget, 20, torch_generator(0, "noise"))
    best = optimal_values(tasks.reward_means, tasks.transitions, 4)[1].argmax(-1)  # [n, H, S]
    step = env.reset(lambda rows, counts: tasks)
    state = agent.initial_state(20)
    rng = torch_generator(0, "agent")
    for t in range(11):
        action, state = agent.act(step, state, rng)
        assert torch.equal(action, best[torch.arange(20), t % 4, step.observation[:, 0].long()])
        step, _ = env.step(action)


def test_a_hand_made_mdp_is_solved():
    class Detour(RandomMDP):
        """Action 1 leads from state 0 to state 1, where action 1 pays 5 and leads back.

        Action 0 in state 0 pays 1.
        """

        def sample(self, n, split, seed):
            rewards = torch.tensor([[1.0, 0.0], [0.0, 5.0]]).expand(n, 2, 2)
            transitions = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]).expand(
                n, 2, 2, 2
            )
            return RandomMDPTasks(rewards, transitions)

    told = reveal(Detour(2, 2, 5, reward_noise=0.0))
    budget = Episodes(2, 0)
    assert (
        evaluate(KnownModel(told, budget), told, "test", 3, 0, budget).matrix().tolist()
        == [[11.0, 11.0]] * 3
    )


def test_it_plays_revealed_mdps_only():
    for distribution in (RandomMDP(), reveal(BernoulliBandit(2)), BernoulliBandit(2)):
        assert "known-model" not in agent_names(distribution)
        with pytest.raises(ValueError, match=r"reveal\(RandomMDP"):
            KnownModel(distribution, Episodes(2))
    assert "known-model" in agent_names(reveal(RandomMDP()))
