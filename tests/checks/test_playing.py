"""Plain plays agree with known answers and with MetaEpisodeEnv."""

import torch

from metarl.checks.playing import actions_for, first_returns, has_tensor_steps, play
from metarl.core.seeding import torch_generator
from metarl.core.task_distribution import TaskDistribution
from metarl.tasks.mdps.identity import Identity


class WithoutSteps(TaskDistribution):
    def sample(self, n, split, seed):
        raise NotImplementedError


def test_it_knows_tensor_families():
    assert has_tensor_steps(Identity())
    assert not has_tensor_steps(WithoutSteps())


def test_actions_depend_on_the_seed_alone():
    assert torch.equal(actions_for(Identity(), 7, 3, 0), actions_for(Identity(), 7, 3, 0))
    assert not torch.equal(actions_for(Identity(), 7, 3, 0), actions_for(Identity(), 7, 3, 1))


def test_a_perfect_play_of_the_identity_task():
    for terminates in (False, True):
        identity = Identity(numbers=3, horizon=4, terminates=terminates)
        tasks = identity.sample(5, "train", 0)
        shown = tasks.numbers.T.repeat(2, 1)  # [8, 5] two episodes
        played = play(identity, tasks, shown, torch_generator(0))
        assert torch.equal(played.observation, shown)
        assert torch.equal(played.reward, torch.ones(8, 5))
        ends = torch.tensor([False, False, False, True] * 2)[:, None].expand(-1, 5)
        nothing = torch.zeros_like(ends)
        assert torch.equal(played.terminated, ends if terminates else nothing)
        assert torch.equal(played.truncated, nothing if terminates else ends)
        assert torch.equal(played.final_observation[:3], shown[1:4])


def test_first_returns_are_those_of_a_play():
    identity = Identity(3, 4, terminates=True)
    tasks = identity.sample(6, "train", 0)
    actions = actions_for(identity, 11, 6, 0)
    played = play(identity, tasks, actions[:4], torch_generator(0))
    assert torch.equal(
        first_returns(identity, tasks, actions, torch_generator(0)), played.reward.sum(0)
    )
