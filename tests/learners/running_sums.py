"""A user's own policy without a recurrent core."""

import torch
from torch import nn

from metarl.networks.policies.policy import PolicyOutput

__all__ = ["RunningSums", "running_sums"]


class RunningSums(nn.Module):
    """A small perceptron over how often each action was taken and what it has brought.

    No recurrent core.
    """

    def __init__(self, actions, outputs):
        super().__init__()
        self.actions = actions
        self.inputs = nn.Linear(2 * actions, 32)  # the name must not matter
        self.outputs = nn.Linear(32, outputs)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 2, self.actions)

    def forward(self, step, state):
        state = state.masked_fill(step.meta_episode_start[:, None, None], 0)
        taken = (
            step.prev_action[:, None] == torch.arange(self.actions)
        ) & ~step.meta_episode_start[:, None]
        state = state + torch.stack([taken, taken * step.prev_reward[:, None]], 1)
        hidden = torch.tanh(self.inputs(state.flatten(1)))
        output = self.outputs(hidden)
        return PolicyOutput(output[:, :-1], output[:, -1]), state


def running_sums(distribution, max_steps):
    actions = int(distribution.action_space.n)
    return RunningSums(actions, actions + 1)
