"""The policy with a memory for each place.

Both ways of running it agree, it knows where it is, and places stay apart.
"""

import gymnasium as gym
import pytest
import torch

from metarl.core.budget import Episodes
from metarl.core.seeding import torch_generator
from metarl.core.step import Step
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv
from metarl.learners.policy_gradient.trajectory import collect
from metarl.networks.actions import action_distribution
from metarl.networks.policies.build import build_policy
from metarl.networks.policies.policy import NetworkConfig
from metarl.networks.policies.spatial_memory import SpatialMemoryPolicy, nearby_offsets
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.mazes.grid_maze import GridMaze
from metarl.tasks.mazes.visual_maze import VisualMaze
from tests.networks.made_steps import at

MAZE = GridMaze(4, horizon=12)


def policy_of(seed=0, maze=MAZE):
    policy = build_policy(
        maze, NetworkConfig("spatial_memory", hidden_size=8), 36, torch_generator(seed)
    )
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(
                0.3 * torch.randn(parameter.shape, generator=torch_generator(seed, "noise"))
            )
    return policy


def played(policy, rows=16, seed=0, maze=MAZE):
    env = MetaEpisodeEnv(maze, Episodes(3, 0), rows, torch_generator(seed), refill=False)
    return collect(
        env,
        policy,
        action_distribution(maze.action_space),
        fresh_tasks(maze, "train", rows, seed),
        torch_generator(seed, "actions"),
    )


@pytest.mark.parametrize(
    "maze", [MAZE, VisualMaze(3, horizon=8)], ids=["from above", "in first person"]
)
def test_step_by_step_equals_the_whole_sequence(maze):
    policy = policy_of(maze=maze)
    rollout = played(policy, maze=maze)
    with torch.no_grad():
        output = policy.sequence(rollout.steps)
        read = policy.sequence(policy.preprocess(rollout.steps, rollout.valid))
    torch.testing.assert_close(read.value[rollout.valid], output.value[rollout.valid])
    log_prob = action_distribution(maze.action_space).log_prob(output.parameters, rollout.action)
    torch.testing.assert_close(
        log_prob[rollout.valid], rollout.log_prob[rollout.valid], rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        output.value[rollout.valid], rollout.value[rollout.valid], rtol=1e-4, atol=1e-5
    )
    assert output.value.std() > 0.05  # not equal for want of anything to differ in


def test_gradients_equal_those_of_the_steps():
    policy = policy_of().double()
    steps = played(policy_of()).steps
    steps = steps._replace(prev_reward=steps.prev_reward.double())
    grads = []
    for whole in (False, True):
        if whole:
            values = policy.sequence(steps).value
        else:
            state = policy.initial_state(16)
            outputs = []
            for t in range(len(steps.prev_reward)):
                output, state = policy(at(steps, t), state)
                outputs.append(output.value)
            values = torch.stack(outputs)
        grads.append(
            torch.autograd.grad(values.square().sum(), list(policy.parameters()), allow_unused=True)
        )
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_rows_that_start_a_meta_episode_forget():
    policy = policy_of()
    steps = played(policy).steps
    state = policy.initial_state(16)
    first = []
    with torch.no_grad():
        for _ in range(2):
            output, state = policy(at(steps, 0), state)
            first.append(output.parameters)
            _, state = policy(at(steps, 1), state)
    torch.testing.assert_close(*first)


def test_positions_are_those_in_the_maze():
    policy = policy_of()
    tasks = MAZE.sample(16, "train", 3)
    env = MetaEpisodeEnv(MAZE, Episodes(3, 0), 16, torch_generator(0), refill=False)
    step = env.reset(lambda rows, counts: tasks)
    state = policy.initial_state(16)
    rng = torch_generator(5)
    steps = []
    cells = []
    valid = []
    for _ in range(30):
        with torch.no_grad():
            _, state = policy(step, state)
        valid.append(env._valid)
        cells.append(
            torch.stack(
                [env._rows.state // 4 - tasks.start // 4, env._rows.state % 4 - tasks.start % 4], 1
            )
        )
        steps.append(step)
        assert torch.equal(state.pose[env._valid, :2], cells[-1][env._valid])
        step, _ = env.step(torch.randint(4, (16,), generator=rng))
    whole = Step(*(torch.stack(field) for field in zip(*steps, strict=True)))
    played_on = torch.stack(valid)
    assert torch.equal(policy.poses(whole)[..., :2][played_on], torch.stack(cells)[played_on])
    assert played_on.sum() > 300


def test_what_was_seen_far_away_is_not_read():
    """A place keeps its memory.

    After a walk there and back it holds what it held, whatever the far end showed.
    """
    policy = policy_of()
    state = policy.initial_state(1)
    with torch.no_grad():
        state = state._replace(memory=torch.randn(state.memory.shape, generator=torch_generator(1)))
        near = policy.nearby(state.pose)[0]
        far = torch.ones(policy.SIDE**2, dtype=torch.bool)
        far[near] = False
        changed = state._replace(
            memory=torch.where(far[None, :, None], 0.0, state.memory).clone(),
            hidden=state.hidden.clone(),
        )
        step = at(played(policy, rows=1).steps, 0)._replace(
            meta_episode_start=torch.zeros(1, dtype=torch.bool)
        )
        step = step._replace(prev_terminated=torch.ones(1, dtype=torch.bool))
        one, _ = policy(step, state)
        other, _ = policy(step, changed)
    torch.testing.assert_close(one.parameters, other.parameters)


def test_distributions_that_do_not_say_how_agents_move_get_a_sentence():
    with pytest.raises(ValueError, match="how actions move the agent"):
        build_policy(BernoulliBandit(3), NetworkConfig("spatial_memory"), 10, torch_generator(0))
    with pytest.raises(ValueError, match="how actions move the agent"):
        SpatialMemoryPolicy(
            gym.spaces.MultiBinary(9),
            gym.spaces.Box(-1, 1, (2,)),
            MAZE.odometry,
            1,
            NetworkConfig("spatial_memory"),
            torch_generator(0),
        )


def test_what_is_around_turns_with_the_agent():
    offsets = nearby_offsets()
    assert offsets.shape == (4, 5, 2)
    # Facing north: ahead is north, right is east
    assert offsets[0].tolist() == [[0, 0], [-1, 0], [0, 1], [1, 0], [0, -1]]
    # Facing east: ahead is east, right is south
    assert offsets[1].tolist() == [[0, 0], [0, 1], [1, 0], [0, -1], [-1, 0]]


def test_turns_and_strides_that_cannot_be_reckoned_get_a_sentence():
    with pytest.raises(ValueError, match="how actions move the agent"):
        build_policy(VisualMaze(turns=12), NetworkConfig("spatial_memory"), 10, torch_generator(0))


@pytest.mark.parametrize("size", [2, 10, 11, 15])
def test_no_two_places_of_a_maze_are_one_to_it(size):
    policy = build_policy(
        GridMaze(size), NetworkConfig("spatial_memory", hidden_size=8), 10, torch_generator(0)
    )
    apart = torch.arange(-(size - 1), size)
    poses = torch.cartesian_prod(apart, apart, torch.zeros(1, dtype=torch.int64))
    assert len(policy.place(poses).unique()) == len(poses)
    edge = torch.tensor([[size - 1, 0, 0]])  # whose neighbour beyond is no place of the maze
    beyond = policy.nearby(edge)[0, 3]
    assert beyond not in policy.place(poses)
