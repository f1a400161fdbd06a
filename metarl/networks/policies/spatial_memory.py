"""A policy for tasks in which an agent walks about: a memory for each place, beside one that goes
along.

The agent reckons where it is, and which way it faces, from its own moves, and counts from where its
episode began. A GRU, shared by all places, writes to the place just left (which way, with what
reward) and to the one just reached (what is seen there). A second GRU, the usual one of RL², reads
its inputs and the memories of the place it stands on and of the neighbouring ones, and acts. Places
are remembered from episode to episode.

Spatial memories for agents in mazes: Parisotto and Salakhutdinov 2018 (arXiv 1702.08360), who read
the whole map and are told where they are.
"""

from typing import NamedTuple

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn

from metarl.core.capabilities import Odometry
from metarl.core.step import Step
from metarl.networks.actions import one_hot
from metarl.networks.cores.gru import GRU
from metarl.networks.cores.keyed_memory import KeyedMemory, places_of
from metarl.networks.encoders import encode_counted, make_encoder
from metarl.networks.inputs import StepInputs
from metarl.networks.layers import linear
from metarl.networks.policies.policy import NetworkConfig, PolicyOutput, Reach

__all__ = ["SpatialMemoryPolicy", "PlacesSeen", "PlacesState"]

# ahead, right, behind and left of an agent that faces north
AROUND = ((-1, 0), (0, 1), (1, 0), (0, -1))


class PlacesState(NamedTuple):
    """What the policy remembers of B rows."""

    memory: Tensor  # [B, P, H] of every place
    hidden: Tensor  # [B, U]
    pose: Tensor  # [B, 3] int64, row and column from the episode's start, and heading
    observation: Tensor  # [B, *obs] the last one seen


class PlacesSeen(NamedTuple):
    """What there is to read in whole meta-episodes, before any weight is involved."""

    images: Tensor  # [T, B, H, W, C] bytes for an encoder; else [T, B, 0]
    rest: Tensor  # [T, B, F] features
    counts: Tensor  # [T, B] bool: where not, nobody asks for what the policy says
    left: Tensor  # [T, B] the place that was just left
    here: Tensor  # [T, B] the place that was just reached
    read: Tensor  # [T, B, 5] which write, of two a step, the places around were last changed by; 0 where by none


class SpatialMemoryPolicy(nn.Module):
    """A memory for each place.

    Args:
        observation_space, action_space: of one task; actions Discrete.
        odometry: how an action that was taken on an observation changes the agent's pose.
        headings: ways that an agent may face, 1 or 4.
        config: `hidden_size` is the size of the memory that goes along, a place's has half as many;
            `encoder` reads images.
        rng: draws the initial weights.
        size: places along a side of where the agent may go; 0 where that isn't known. Weights don't
            depend on it.

    Raises:
        ValueError: other spaces, or no `odometry`.
    """

    SIDE = 21  # places along a side that it holds at least; those that many apart are one to it
    around: Tensor

    def __init__(
        self,
        observation_space: gym.Space,
        action_space: gym.Space,
        odometry: Odometry | None,
        headings: int,
        config: NetworkConfig,
        rng: Generator,
        size: int = 0,
    ):
        super().__init__()
        # To both sides of the start, and what is read beyond the edge
        self.side = max(self.SIDE, 2 * size + 1)
        if odometry is None or not isinstance(action_space, gym.spaces.Discrete):
            raise ValueError(
                "The core 'spatial_memory' is for distributions that say how actions move the agent"
                " (`odometry`); choose gru, lstm or attention."
            )
        hidden_size = config.hidden_size
        self.odometry = odometry
        self.headings = headings
        self.register_buffer("around", nearby_offsets(), persistent=False)
        self.encoder = make_encoder(config.encoder, observation_space, rng)
        self.inputs = StepInputs(observation_space, action_space, encoded=self.encoder is not None)
        size = (
            self.inputs.size
            + (headings if headings > 1 else 0)
            + (0 if self.encoder is None else self.encoder.size)
        )
        self.places = GRU(2 + size, hidden_size // 2, rng)
        self.look = linear(5 * self.places.size, hidden_size, rng, 2**0.5)
        self.core = GRU(size + hidden_size, hidden_size, rng)
        self.heads = linear(hidden_size, int(action_space.n) + 1, rng)
        with torch.no_grad():
            self.heads.weight[:-1].mul_(0.01)  # all actions start about equally likely

    def initial_state(self, batch_size: int) -> PlacesState:
        """Nothing seen."""
        memory = self.heads.weight.new_zeros(batch_size, self.side**2, self.places.size)
        pose = torch.zeros(batch_size, 3, dtype=torch.int64, device=memory.device)
        space = self.inputs.space
        observation = torch.zeros(
            (batch_size, *(space.shape or ())),
            dtype=self.inputs.observation_dtype,
            device=memory.device,
        )
        return PlacesState(memory, self.core.initial_state(batch_size), pose, observation)

    def forward(self, step: Step, state: PlacesState) -> tuple[PolicyOutput, PlacesState]:
        """Return one step of B rows; rows that start a meta-episode forget first."""
        start = step.meta_episode_start
        rows = torch.arange(len(step.prev_reward), device=step.prev_reward.device)
        memory = state.memory.masked_fill(start[:, None, None], 0)
        hidden = state.hidden.masked_fill(start[:, None], 0)
        pose = torch.where(
            step.episode_start[:, None],
            0,
            self.odometry(state.pose, state.observation, step.prev_action),
        )
        features = self.features(step, pose)
        if self.encoder is not None:
            features = torch.cat([self.encoder(step.observation), features], -1)
        # The caller never reuses a state
        put = torch.Tensor.index_put if torch.is_grad_enabled() else torch.Tensor.index_put_
        left = self.place(torch.where(start[:, None], 0, state.pose))
        here = self.place(pose)
        old = memory[rows, left]
        memory = put(
            memory,
            (rows, left),
            torch.where(start[:, None], old, self.places(written(features, True), old)[0]),
        )
        memory = put(
            memory, (rows, here), self.places(written(features, False), memory[rows, here])[0]
        )
        seen = memory[rows[:, None], self.nearby(pose)].flatten(1)
        hidden, _ = self.core(torch.cat([features, torch.relu(self.look(seen))], -1), hidden)
        return self.output(hidden), PlacesState(memory, hidden, pose, step.observation)

    def under_budget(self, max_steps: int) -> Reach:
        """Return itself: its memories are of places, however many steps there are."""
        return Reach(self, None)

    def lengthened(self, weights: dict[str, Tensor], max_steps: int) -> dict[str, Tensor]:
        """Return `weights`, which don't depend on the length."""
        return weights

    def sequence(self, steps: Step | PlacesSeen) -> PolicyOutput:
        """Whole meta-episodes from their first step, each a column of `steps` [T, B, ...]; equals
        `forward` step by step.

        `steps` may also be what `preprocess` made of them.
        """
        seen = self.preprocess(steps) if isinstance(steps, Step) else steps
        features = seen.rest
        if self.encoder is not None:
            features = torch.cat(
                [encode_counted(self.encoder, seen.images, seen.counts), features], -1
            )
        writes = torch.stack([written(features, True), written(features, False)], 1).flatten(0, 1)
        # [2 T, B]
        keys = torch.stack([seen.left, seen.here], 1).flatten(0, 1)
        gru = self.places
        memories = KeyedMemory.apply(
            writes,
            keys,
            self.side**2,
            gru.weight_input,
            gru.weight_hidden,
            gru.bias,
            gru.bias_hidden,
        )[0]
        rows = torch.arange(keys.shape[1], device=keys.device)
        found = memories.flatten(0, 1).index_select(
            0, (seen.read * keys.shape[1] + rows[:, None]).flatten()
        )
        looked = torch.relu(self.look(found.view(*seen.here.shape, -1)))
        return self.output(self.core.sequence(torch.cat([features, looked], -1)))

    def preprocess(self, steps: Step, valid: Tensor | None = None) -> PlacesSeen:
        """Return what there is to read in whole meta-episodes [T, B, ...]. No weights are involved,
        so that a learner can keep it for an update.

        What the policy says after a row's meta-episode is over, where `valid` [T, B] is false, must
        not be used then.
        """
        pose = self.poses(steps)
        here = self.place(pose)
        left = torch.cat([here[:1], here[:-1]])
        images = (
            steps.observation
            if self.encoder is not None
            else steps.prev_reward.new_zeros((*here.shape, 0))
        )
        counts = torch.ones_like(steps.meta_episode_start) if valid is None else valid
        return PlacesSeen(
            images,
            self.features(steps, pose),
            counts,
            left,
            here,
            self.latest_writes(left, here, self.nearby(pose)),
        )

    def features(self, step: Step, pose: Tensor) -> Tensor:
        """Return what is read beside images: [..., F]."""
        features = self.inputs(step)
        return (
            torch.cat([features, one_hot(pose[..., 2], self.headings)], -1)
            if self.headings > 1
            else features
        )

    def poses(self, steps: Step) -> Tensor:
        """Poses [T, B, 3] along whole meta-episodes."""
        start = steps.episode_start
        pose = torch.zeros(
            (*steps.prev_reward.shape, 3), dtype=torch.int64, device=steps.prev_reward.device
        )
        for t in range(1, len(pose)):
            pose[t] = torch.where(
                start[t, :, None],
                0,
                self.odometry(pose[t - 1], steps.observation[t - 1], steps.prev_action[t]),
            )
        return pose

    def place(self, pose: Tensor) -> Tensor:
        """Key [...] of where poses [..., 3] are."""
        return (pose[..., 0] % self.side) * self.side + pose[..., 1] % self.side

    def nearby(self, pose: Tensor) -> Tensor:
        """Keys [..., 5] of the places here, ahead, right, behind and left."""
        around = pose[..., None, :2] + self.around[pose[..., 2]]
        return self.place(around)

    def latest_writes(self, left: Tensor, here: Tensor, read: Tensor) -> Tensor:
        """Return which write each of the places `read` [T, B, 5] holds after each step.

        2 t on leaving, 2 t + 1 on reaching, 0 for none.
        """
        latest = torch.zeros(here.shape[1] * self.side**2, dtype=torch.int64, device=here.device)
        rows = self.side**2 * torch.arange(here.shape[1], device=here.device)
        left, here, read = (
            places_of(left, self.side**2),
            places_of(here, self.side**2),
            read + rows[:, None],
        )
        found = torch.empty_like(read)
        for t in range(len(read)):
            if t > 0:  # before the first step no place was left
                latest[left[t]] = 2 * t
            latest[here[t]] = 2 * t + 1
            found[t] = latest[read[t]]
        return found

    def output(self, hidden: Tensor) -> PolicyOutput:
        """Logits and value."""
        heads = self.heads(hidden)
        return PolicyOutput(heads[..., :-1], heads[..., -1])

    def learn_moments(self, steps: Step, valid: Tensor) -> None:
        """Take a rollout [T, B] into the running moments of the inputs.

        Call it between updates, never within one.
        """
        self.inputs.learn_moments(steps, valid)


def nearby_offsets() -> Tensor:
    """[4, 5, 2]: for each heading, where here, ahead, right, behind and left lie."""
    around = torch.tensor(AROUND)
    return torch.stack(
        [
            torch.cat([torch.zeros(1, 2, dtype=torch.int64), around.roll(-heading, 0)])
            for heading in range(4)
        ]
    )


def written(features: Tensor, leaving: bool) -> Tensor:
    """Return what is written to a place on leaving or on reaching it.

    The step's features [..., F], and which of the two it is.
    """
    kind = torch.tensor([float(leaving), float(not leaving)], device=features.device)
    return torch.cat([kind.expand(*features.shape[:-1], 2), features], -1)
