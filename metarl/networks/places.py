"""A policy for tasks in which an agent walks about: a memory for each place, beside one that goes along.

The agent reckons where it is from its own moves, and counts from where its episode began. A GRU, shared by all places, writes to the place
just left (which way, with what reward) and to the one just reached (what is seen there). A second GRU, the usual one of RL², reads its
inputs and the memories of the place it stands on and of the neighbouring ones, and acts. Places are remembered from episode to episode.

Spatial memories for agents in mazes: Parisotto and Salakhutdinov 2018 (arXiv 1702.08360), who read the whole map and are told where
they are.
"""

from collections.abc import Callable
from typing import NamedTuple

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn

from metarl.envs.meta_episode import Step
from metarl.networks.gru import GRU
from metarl.networks.inputs import StepInputs
from metarl.networks.keyed_memory import KeyedMemory, places_of
from metarl.networks.layers import linear
from metarl.networks.policy import PolicyOutput
from metarl.tasks.spaces import observation_dtype

__all__ = ["Moved", "PlacesPolicy", "PlacesState"]

Moved = Callable[[Tensor, Tensor], Tensor]  # (observation [..., *obs], the action taken on it [...]) -> rows and columns moved [..., 2]
NEARBY = ((0, 0), (-1, 0), (0, 1), (1, 0), (0, -1))  # the places that are read


class PlacesState(NamedTuple):
    """What the policy remembers of B rows."""

    memory: Tensor  # [B, P, H] of every place
    hidden: Tensor  # [B, U]
    position: Tensor  # [B, 2] int64, rows and columns from the episode's start
    observation: Tensor  # [B, *obs] the last one seen


class PlacesPolicy(nn.Module):
    """A memory for each place.

    Args:
        observation_space, action_space: of one task; actions Discrete.
        moved: how far an action taken on an observation moves the agent.
        units: U, size of the memory that goes along; a place's has half as many.
        rng: draws the initial weights.

    Raises:
        ValueError: other spaces, or no `moved`.
    """

    SIDE = 21  # places that many apart are one to it
    offsets: Tensor

    def __init__(self, observation_space: gym.Space, action_space: gym.Space, moved: Moved | None, units: int, rng: Generator):
        super().__init__()
        if moved is None or not isinstance(action_space, gym.spaces.Discrete):
            raise ValueError(
                "The core 'places' is for distributions that say how actions move the agent (`moved`); choose gru, lstm or attention."
            )
        self.moved = moved
        self.register_buffer("offsets", torch.tensor(NEARBY), persistent=False)
        self.inputs = StepInputs(observation_space, action_space)
        self.places = GRU(2 + self.inputs.size, units // 2, rng)
        self.look = linear(len(NEARBY) * self.places.size, units, rng, 2**0.5)
        self.core = GRU(self.inputs.size + units, units, rng)
        self.heads = linear(units, int(action_space.n) + 1, rng)
        with torch.no_grad():
            self.heads.weight[:-1].mul_(0.01)  # all actions start about equally likely

    def initial_state(self, batch_size: int) -> PlacesState:
        """Nothing seen."""
        memory = self.heads.weight.new_zeros(batch_size, self.SIDE**2, self.places.size)
        position = torch.zeros(batch_size, 2, dtype=torch.int64, device=memory.device)
        space = self.inputs.space
        observation = torch.zeros((batch_size, *(space.shape or ())), dtype=observation_dtype(space), device=memory.device)
        return PlacesState(memory, self.core.initial_state(batch_size), position, observation)

    def forward(self, step: Step, state: PlacesState) -> tuple[PolicyOutput, PlacesState]:
        """One step of B rows; rows that start a meta-episode forget first."""
        start, rows = step.meta_episode_start, torch.arange(len(step.prev_reward), device=step.prev_reward.device)
        memory, hidden = state.memory.masked_fill(start[:, None, None], 0), state.hidden.masked_fill(start[:, None], 0)
        position = torch.where(step.episode_start[:, None], 0, state.position + self.moved(state.observation, step.prev_action))
        features = self.inputs(step)
        put = torch.Tensor.index_put if torch.is_grad_enabled() else torch.Tensor.index_put_  # the caller never reuses a state
        left, here = self.place(torch.where(start[:, None], 0, state.position)), self.place(position)
        old = memory[rows, left]
        memory = put(memory, (rows, left), torch.where(start[:, None], old, self.places(written(features, True), old)[0]))
        memory = put(memory, (rows, here), self.places(written(features, False), memory[rows, here])[0])
        seen = memory[rows[:, None], self.nearby(position)].flatten(1)
        hidden, _ = self.core(torch.cat([features, torch.relu(self.look(seen))], -1), hidden)
        return self.output(hidden), PlacesState(memory, hidden, position, step.observation)

    def sequence(self, steps: Step) -> PolicyOutput:
        """Whole meta-episodes from their first step, each a column of `steps` [T, B, ...]; equals `forward` step by step."""
        features = self.inputs(steps)
        position = self.reckon(steps)
        here = self.place(position)
        keys = torch.stack([torch.cat([here[:1], here[:-1]]), here], 1).flatten(0, 1)  # [2 T, B]: the place left, the place reached
        writes = torch.stack([written(features, True), written(features, False)], 1).flatten(0, 1)
        gru, num_keys = self.places, self.SIDE**2
        memories = KeyedMemory.apply(writes, keys, num_keys, gru.weight_input, gru.weight_hidden, gru.bias, gru.bias_hidden)[0]
        seen = memories.flatten(0, 1).index_select(0, self.latest_writes(keys, self.nearby(position)).flatten())
        looked = torch.relu(self.look(seen.view(*here.shape, -1)))
        return self.output(self.core.sequence(torch.cat([features, looked], -1)))

    def reckon(self, steps: Step) -> Tensor:
        """Positions [T, B, 2] along whole meta-episodes."""
        before = torch.cat([steps.observation[:1], steps.observation[:-1]])
        start = steps.episode_start
        walked = self.moved(before, steps.prev_action).masked_fill(start[..., None], 0).cumsum(0)
        clock = torch.arange(len(start), device=start.device)[:, None]
        since = torch.where(start, clock, 0).cummax(0).values  # when the episode began
        return walked - walked.gather(0, since[..., None].expand_as(walked))

    def place(self, position: Tensor) -> Tensor:
        """Key [...] of positions [..., 2]."""
        wrapped = position % self.SIDE
        return wrapped[..., 0] * self.SIDE + wrapped[..., 1]

    def nearby(self, position: Tensor) -> Tensor:
        """Keys [..., 5] of the places that are read at positions [..., 2]."""
        return self.place(position[..., None, :] + self.offsets)

    def latest_writes(self, keys: Tensor, read: Tensor) -> Tensor:
        """Which row of the flattened writes [2 T B] the places `read` [T, B, K] hold after each step; an empty memory is row 0."""
        rows = torch.arange(keys.shape[1], device=keys.device)
        latest = torch.zeros(keys.shape[1] * self.SIDE**2, dtype=torch.int64, device=keys.device)
        write, places = places_of(keys, self.SIDE**2), read + self.SIDE**2 * rows[:, None]
        found = torch.empty_like(read)
        for t in range(len(read)):
            for event in (2 * t, 2 * t + 1)[t == 0 :]:  # before the first step no place was left
                latest[write[event]] = event * len(rows) + rows
            found[t] = latest[places[t]]
        return found

    def output(self, hidden: Tensor) -> PolicyOutput:
        """Logits and value."""
        heads = self.heads(hidden)
        return PolicyOutput(heads[..., :-1], heads[..., -1])

    def learn_moments(self, steps: Step, valid: Tensor) -> None:
        """Take a rollout [T, B] into the running moments of the inputs; call it between updates, never within one."""
        self.inputs.learn_moments(steps, valid)


def written(features: Tensor, leaving: bool) -> Tensor:
    """What is written to a place on leaving or on reaching it: the step's features [..., F], and which of the two it is."""
    kind = torch.tensor([float(leaving), float(not leaving)], device=features.device)
    return torch.cat([kind.expand(*features.shape[:-1], 2), features], -1)
