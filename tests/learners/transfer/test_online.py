"""The agent that learns alone in each task, and the one that doesn't learn."""

import torch

from metarl.core.agent import MadeFor
from metarl.core.budget import Steps
from metarl.core.seeding import torch_generator
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.transfer.online import FrozenAgent, OnlineAgent, ShapedRewards
from metarl.tasks.mdps.identity import Identity

TASKS = Identity(3, 4)


class Recorder:
    """Chooses action 0 and notes all that it is told."""

    def __init__(self, seed):
        self.seed = seed
        self.told = []
        self.chosen = 0

    def choose(self, step):
        self.chosen += 1
        return torch.zeros(len(step.prev_reward), dtype=torch.int64)

    def learn(self, step, outcome=None):
        assert torch.is_grad_enabled()
        assert outcome is None
        self.told.append(
            (float(step.prev_reward), bool(step.prev_truncated | step.prev_terminated))
        )

    def play(self, step, rng):
        return torch.full((len(step.prev_reward),), 2)


def test_every_row_has_a_learner_of_its_own_that_hears_of_every_step():
    made = []

    def make(seed):
        made.append(Recorder(seed))
        return made[-1]

    agent = OnlineAgent(make, MadeFor(TASKS, Steps(10), "spaces", "kind"))
    env = MetaEpisodeEnv(TASKS, Steps(9), 3, torch_generator(0), refill=False)
    tasks = TASKS.sample(3, "test", 0)
    step = env.reset(lambda rows, counts: tasks)
    state = agent.initial_state(3)
    rng = torch_generator(1)
    rewards = []
    with torch.no_grad():
        for _ in range(9):
            action, state = agent.act(step, state, rng)
            step, outcome = env.step(action)
            rewards.append(outcome.reward)
    assert len(made) == 3
    assert len({learner.seed for learner in made}) == 3
    for row, learner in enumerate(made):
        assert learner.chosen == 9
        assert [reward for reward, _ in learner.told] == torch.stack(rewards)[:8, row].tolist()
        # The episode's ends, of four steps each
        assert [ended for _, ended in learner.told] == [False, False, False, True] * 2


def test_a_new_task_gets_a_new_learner():
    made = []
    agent = OnlineAgent(
        lambda seed: made.append(Recorder(seed)) or made[-1],
        MadeFor(TASKS, Steps(10), "spaces", "kind"),
    )
    env = MetaEpisodeEnv(TASKS, Steps(2), 1, torch_generator(0))
    tasks = TASKS.sample(1, "test", 0)
    step = env.reset(lambda rows, counts: tasks)
    state = agent.initial_state(1)
    rng = torch_generator(1)
    for _ in range(5):
        action, state = agent.act(step, state, rng)
        step, _ = env.step(action)
    assert [learner.chosen for learner in made] == [2, 2, 1]
    assert [len(learner.told) for learner in made] == [1, 1, 0]


def test_an_agent_that_is_fixed_plays_and_learns_nothing():
    learner = Recorder(0)
    agent = FrozenAgent(learner, MadeFor(TASKS, Steps(10), "spaces", "kind"))
    env = MetaEpisodeEnv(TASKS, Steps(2), 4, torch_generator(0), refill=False)
    tasks = TASKS.sample(4, "test", 0)
    action, state = agent.act(
        env.reset(lambda rows, counts: tasks), agent.initial_state(4), torch_generator(1)
    )
    assert action.tolist() == [2] * 4
    assert state == ()
    assert learner.told == []


def test_only_new_progress_is_learned_from():
    shaped = ShapedRewards(2, scale=0.5, new_progress_only=True)
    rewards = [[4.0, 1.0], [-3.0, 1.0], [2.0, -1.0], [3.0, 1.0], [4.0, 7.0]]
    begins = [[True, True], [False, False], [False, False], [False, True], [False, False]]
    got = []
    for reward, begin in zip(rewards, begins, strict=True):
        shaped.begin(torch.tensor(begin))
        got.append(shaped(torch.tensor(reward)).tolist())
    assert got == [[2.0, 0.5], [0.0, 0.5], [0.0, 0.0], [1.0, 0.5], [2.0, 3.5]]
    other = ShapedRewards(2, scale=0.5, new_progress_only=True)
    other.load_state_dict(shaped.state_dict())
    assert torch.equal(other(torch.tensor([1.0, -1.0])), shaped(torch.tensor([1.0, -1.0])))


def test_rewards_are_scaled_and_nothing_else_by_default():
    assert ShapedRewards(2, scale=3.0)(torch.tensor([-1.0, 2.0])).tolist() == [-3.0, 6.0]
