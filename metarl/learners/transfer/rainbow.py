"""Rainbow: Q-learning with six improvements, each of which can be switched off (Hessel et al. 2018,
arXiv 1710.02298).

double         the online network chooses the next action, the target network values it (van Hasselt
et al. 2016) duelling       separate streams for the state and for the actions' advantages (Wang et
al. 2016) noisy          trained noise in the weights explores (Fortunato et al. 2018)
distributional the network gives the distribution of returns over fixed atoms (Bellemare et al.
2017) prioritised    steps are replayed in proportion to their last loss (Schaul et al. 2016) n-step
several rewards are summed before the value is asked

`Rainbow` plays rows, notes what they bring and updates when it is time: jointly on many tasks, or
to fine-tune on one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import gymnasium as gym
import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import smooth_l1_loss

from metarl.core.arguments import check_fields
from metarl.core.seeding import torch_generator
from metarl.core.step import Outcome, Step
from metarl.learners.optimizer_state import load_optimizer_state, optimizer_state
from metarl.learners.settings import check_counts, check_step_sizes
from metarl.learners.transfer.online import ShapedRewards
from metarl.learners.transfer.replay import ReplayBatch, ReplayBuffer, ReplayConfig
from metarl.networks.finite import check_output, check_weights
from metarl.networks.kernels.matmul_precision import fast_matmul
from metarl.networks.rainbow_network import RainbowNetwork, RainbowNetworkConfig

__all__ = ["SONIC", "Rainbow", "RainbowConfig", "project"]


@dataclass(frozen=True)
class RainbowConfig:
    """Settings of Rainbow; the defaults are the paper's (table 1) but for the replay, which holds a
    tenth of its million.

    Attributes:
        double: the online network chooses the action that the target network values.
        n_step: rewards summed before the value is asked; 1 is plain Q-learning.
        discount: gamma.
        reward_scale: what rewards are multiplied by.
        new_progress_only: learn from rewards as far as they take an episode's sum to a new high;
            see `ShapedRewards`.
        reward_clip: rewards, once scaled, are clipped to this on both sides of 0; 0 leaves them.
        batch: steps in an update.
        start: steps to be drawn before updates begin.
        update_every: environment steps for each update, over all rows.
        target_every: environment steps from one copy to the target network to the next.
        lr: Adam's step size.
        adam_epsilon: of Adam's denominator.
        max_grad_norm: gradients are scaled down to this norm (Wang et al. 2016).
        epsilon: share of random actions at first, where the network has no noise.
        epsilon_end: the same in the end.
        epsilon_steps: environment steps over which it falls, linearly.
        act: how it plays once training is over: as it explores in the end, with noise or random
            actions, or by its best action.
        network: its shape, with the switches duelling, noisy and distributional.
        replay: what is kept and how it is drawn, with the switch prioritised.
    """

    double: bool = True
    n_step: int = 3
    discount: float = 0.99
    reward_scale: float = 1.0
    new_progress_only: bool = False
    reward_clip: float = 1.0
    batch: int = 32
    start: int = 20_000
    update_every: int = 4
    target_every: int = 8_000
    lr: float = 6.25e-5
    adam_epsilon: float = 1.5e-4
    max_grad_norm: float = 10.0
    epsilon: float = 1.0
    epsilon_end: float = 0.01
    epsilon_steps: int = 62_500
    act: Literal["sample", "mode"] = "sample"
    network: RainbowNetworkConfig = field(default_factory=RainbowNetworkConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)

    def __post_init__(self) -> None:
        check_fields(self, may_be_infinite=("reward_clip", "max_grad_norm"))
        check_counts(
            n_step=self.n_step, batch=self.batch, start=self.start, update_every=self.update_every
        )
        check_counts(target_every=self.target_every, epsilon_steps=self.epsilon_steps)
        if not 0 <= self.discount <= 1 or not 0 <= self.epsilon_end <= self.epsilon <= 1:
            raise ValueError("discount must lie in [0, 1], and 0 <= epsilon_end <= epsilon <= 1.")
        if (
            not all(
                value > 0
                for value in (self.reward_scale, self.lr, self.adam_epsilon, self.max_grad_norm)
            )
            or self.reward_clip < 0
        ):
            raise ValueError(
                "reward_scale, lr, adam_epsilon and max_grad_norm must be positive, and reward_clip"
                " can't be negative."
            )
        check_step_sizes(lr=self.lr)
        if self.act not in ("sample", "mode"):
            raise ValueError(f"act must be 'sample' or 'mode', not {self.act!r}.")
        if self.start > self.replay.capacity // 2:
            raise ValueError(
                f"Updates that start after {self.start} steps need a replay of {2 * self.start} or"
                f" more, not {self.replay.capacity}."
            )


# Of "Gotta Learn Fast" (Nichol et al. 2018), as in its released code, but that only the output
# layers have noise.
SONIC = RainbowConfig(
    new_progress_only=True,
    reward_clip=0.0,
    update_every=1,
    target_every=8192,
    lr=1e-4,
    network=RainbowNetworkConfig(encoder="nature", hidden=0, v_min=-200.0, v_max=200.0),
    replay=ReplayConfig(capacity=500_000, stack=4, alpha=0.5, offset=0.1, beta=0.4, beta_steps=0),
)


def project(probabilities: Tensor, returns: Tensor, discount: Tensor, support: Tensor) -> Tensor:
    """Return the distribution of returns + discount * Z, on the atoms of Z again (Bellemare et al.
    2017, equation 7).

    An atom's mass goes to its two neighbours on the support in proportion to nearness; what lies
    beyond an end goes to that end.

    Args:
        probabilities: [n, Z] of the atoms. returns, discount: [n].
        support: [Z] evenly spaced atoms.

    Returns:
        [n, Z] probabilities.
    """
    moved = (returns[:, None] + discount[:, None] * support).clamp(
        support[0], support[-1]
    )  # [n, Z]
    spacing = (support[-1] - support[0]) / (len(support) - 1)
    nearness = (1 - (moved[:, None, :] - support[:, None]).abs() / spacing).clamp_min(
        0
    )  # [n, to, from]
    return (nearness @ probabilities[..., None])[..., 0]


@torch.no_grad()
def next_outputs(
    online: RainbowNetwork,
    target: RainbowNetwork,
    batch: ReplayBatch,
    double: bool,
    noise: Iterable[Any],
) -> Tensor:
    """Return the target network's outputs [n, Z] of the best next action, which the online network
    chooses if `double`.

    `noise` gives draws for the target network and, if `double`, for the online one.
    """
    draws = iter(noise)
    outputs = target(batch.next_observation, next(draws))
    chooser = (
        online.values(online(batch.next_observation, next(draws)))
        if double
        else target.values(outputs)
    )
    return outputs[torch.arange(len(outputs), device=outputs.device), chooser.argmax(1)]


def losses(
    network: RainbowNetwork, batch: ReplayBatch, following: Tensor, noise: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """(losses, how surprising each step is, its value): each [n].

    With distributions the loss is the cross entropy from the projected target, and the surprise its
    divergence (Hessel et al. 2018, section 4); otherwise Huber's loss (Mnih et al. 2015) and the
    size of the error.

    Args:
        network: the online one. batch: steps. following: [n, Z] outputs for what follows them.
            noise: draws for the network.
    """
    outputs = network(batch.observation, noise)
    chosen = outputs[torch.arange(len(outputs), device=outputs.device), batch.action]  # [n, Z]
    value = network.values(chosen.detach())
    if not network.config.distributional:
        wanted = batch.returns + batch.discount * following[:, 0]
        return (
            smooth_l1_loss(chosen[:, 0], wanted, reduction="none"),
            (chosen[:, 0].detach() - wanted).abs(),
            value,
        )
    wanted = project(following.softmax(1), batch.returns, batch.discount, network.support)
    loss = -(wanted * chosen.log_softmax(1)).sum(1)
    return loss, (loss.detach() + torch.xlogy(wanted, wanted).sum(1)).clamp_min(0), value


class Rainbow:
    """Learns while it plays B rows side by side, which may be in different tasks.

    A checkpoint holds the replay if its observations take at most 64 MiB. Otherwise a run that
    resumes plays on with the same weights, and its updates wait until the replay holds
    `config.start` steps again.

    Args:
        config: settings.
        observation_space, action_space: of one task.
        rows: B.
        seed: names every random stream.
        device: where the network computes; the replay lies on the CPU.

    Attributes:
        network: the online one. target: the one that values what follows.
        steps: environment steps taken in, over all rows. updates: made so far.
        progress: share of training done; nothing here is scheduled by it.

    Raises:
        ValueError: spaces that the network can't read or act in, or too small a replay.
    """

    def __init__(
        self,
        config: RainbowConfig,
        observation_space: gym.Space,
        action_space: gym.Space,
        rows: int,
        seed: int,
        device: str | torch.device = "cpu",
    ):
        self.config = config
        self.rows = rows
        self.device = torch.device(device)
        self.network, self.target = (
            RainbowNetwork(
                observation_space,
                action_space,
                config.network,
                torch_generator(seed, "rainbow", "weights"),
            ).to(self.device)
            for _ in range(2)
        )
        self.target.requires_grad_(False)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), config.lr, eps=config.adam_epsilon, fused=True
        )
        self.replay = ReplayBuffer(
            config.replay, observation_space, rows, config.n_step, config.discount
        )
        self.shaped = ShapedRewards(rows, config.reward_scale, config.new_progress_only)
        self.action_rng = torch_generator(seed, "rainbow", "actions", device=self.device)
        self.noise_rng = torch_generator(seed, "rainbow", "noise", device=self.device)
        self.replay_rng = torch_generator(seed, "rainbow", "replay")
        # unpaid: steps since the last update that was due
        self.steps = self.updates = self.unpaid = 0
        # started: every row is in an episode that the replay knows
        self.progress = 0.0
        self.started = False
        self._action: Tensor | None = None  # [B], while their outcome isn't known
        # Of each update since `metrics`: loss, value, norm of the gradient
        self._measured: list[Tensor] = []

    def choose(self, step: Step) -> Tensor:
        """Actions [B].

        The best by the network, with noise of each row's own or a share epsilon at random; episodes
        begin here.
        """
        begins = (
            step.episode_start.cpu() if self.started else torch.ones(self.rows, dtype=torch.bool)
        )
        self.shaped.begin(begins)
        if bool(begins.any()):
            self.replay.start(begins.nonzero()[:, 0].numpy(), step.observation.cpu()[begins])
        self.started = True
        action = self._explore(step.observation.to(self.device), self.epsilon, self.action_rng)
        self._action = action.cpu()
        return action.to(step.observation.device)

    def play(self, step: Step, rng: Generator) -> Tensor:
        """Actions [B] by the network as it is, and as `config.act` says."""
        observation = step.observation.to(self.device)
        if self.config.act == "mode":
            return self._best(observation, None).to(step.observation.device)
        return self._explore(observation, self.config.epsilon_end, rng).to(step.observation.device)

    def learn(self, step: Step, outcome: Outcome | None = None) -> None:
        """Note what the last actions brought, and make the updates that are due."""
        if self._action is None:
            return
        known = self._note(step, outcome)
        self._action = None
        before = self.steps // self.config.target_every
        self.steps = self.steps + known
        if len(self.replay) >= self.config.start:
            self._learn_moments()
            self.unpaid += known
            while self.unpaid >= self.config.update_every:
                self.unpaid -= self.config.update_every
                self.update()
        if self.steps // self.config.target_every > before:
            self.target.load_state_dict(self.network.state_dict())

    @fast_matmul()
    def update(self) -> None:
        """One step down the gradient of `config.batch` steps of the replay."""
        config = self.config
        batch = self.replay.draw(
            config.batch, config.replay.beta_after(self.steps), self.replay_rng
        ).to(self.device)
        following = next_outputs(
            self.network, self.target, batch, config.double, (self._noise() for _ in range(2))
        )
        loss, surprise, value = losses(self.network, batch, following, self._noise())
        self.optimizer.zero_grad(set_to_none=True)
        (batch.weight * loss).mean().backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), config.max_grad_norm)
        self.optimizer.step()
        surprise = surprise.cpu()
        # Priorities must be numbers; on a GPU too, where this has waited for it anyway.
        check_output("The network of Rainbow", surprise)
        self.replay.rate(batch.place, surprise.numpy())
        self.updates += 1
        self._measured.append(torch.stack([loss.detach().mean(), value.mean(), norm]))

    @property
    def epsilon(self) -> float:
        """Share of random actions now."""
        start = self.config.epsilon
        end = self.config.epsilon_end
        return (
            0.0
            if self.config.network.noisy
            else start + (end - start) * min(1.0, self.steps / self.config.epsilon_steps)
        )

    def metrics(self) -> dict[str, float]:
        """Means over the updates since the last call.

        Loss, value of the steps replayed, norm of the gradient.
        """
        measured = self._measured
        self._measured = []
        counters = {"updates": float(self.updates), "epsilon": self.epsilon}
        return counters | (
            dict(zip(MEASURED, torch.stack(measured).mean(0).tolist(), strict=True))
            if measured
            else {}
        )

    def weights(self) -> dict[str, Any]:
        """Return the online network."""
        return {"network": copied(self.network)}

    def load_weights(self, weights: dict[str, Any]) -> None:
        """Begin with a network trained before, also as target."""
        check_weights(weights["network"])
        for network in (self.network, self.target):
            network.load_state_dict(weights["network"])

    def state_dict(self) -> dict[str, Any]:
        """Everything that learning depends on, as copies; the replay unless it is large."""
        return {
            "network": copied(self.network),
            "target": copied(self.target),
            "optimizer": optimizer_state(self.optimizer),
            "streams": {name: getattr(self, name).get_state() for name in STREAMS},
            "replay": self.replay.state_dict(),
            "shaped": self.shaped.state_dict(),
            "measured": [part.clone() for part in self._measured],
            **{name: getattr(self, name) for name in COUNTERS},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`; rows whose actions were still without outcome choose again."""
        check_weights({name: state[name] for name in ("network", "target")})
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        load_optimizer_state(self.optimizer, state["optimizer"])
        for name in STREAMS:
            getattr(self, name).set_state(state["streams"][name].cpu())
        self.replay.load_state_dict(state["replay"])
        self.shaped.load_state_dict(state["shaped"])
        self._measured = [part.to(self.device) for part in state["measured"]]
        for name in COUNTERS:
            setattr(self, name, int(state[name]))
        self.started = bool(state["started"]) and state["replay"] is not None
        self._action = None

    def _note(self, step: Step, outcome: Outcome | None) -> int:
        """Put what the last actions brought into the replay.

        Returns in how many rows that is known.
        """
        # A row that has begun another task doesn't show what its last step brought
        if outcome is None:
            reward = step.prev_reward
            terminated = step.prev_terminated
            final = step.final_observation
            known = ~step.meta_episode_start
        else:
            reward = outcome.reward
            terminated = outcome.terminated
            final = outcome.final_observation
            known = outcome.valid
        reward = self.shaped(reward.cpu())
        rows = known.cpu().nonzero()[:, 0]
        if len(rows) == 0:
            return 0
        assert self._action is not None, "only what was done brings something"
        if self.config.reward_clip:
            reward = reward.clamp(-self.config.reward_clip, self.config.reward_clip)
        self.replay.add(
            rows.numpy(),
            self._action[rows],
            reward[rows],
            terminated.cpu()[rows],
            final.cpu()[rows],
        )
        return len(rows)

    def _learn_moments(self) -> None:
        """Before the first update of a fresh network.

        The moments of what it reads, once and for all.
        """
        inputs = self.network.inputs
        if inputs.normalises and float(inputs.observation_moments.count) == 0:
            seen = self.replay.seen().to(self.device)
            for network in (self.network, self.target):
                network.learn_moments(seen)

    @torch.no_grad()
    def _explore(self, observation: Tensor, epsilon: float, rng: Generator) -> Tensor:
        """Actions [B]: of noisy weights, or the best ones but for a share epsilon."""
        if self.config.network.noisy:
            return self._best(observation, self.network.noise(rng, len(observation)))
        uniform = torch.rand(2, len(observation), generator=rng, device=rng.device)
        random = (
            (uniform[0] * self.network.num_actions).long().clamp_max(self.network.num_actions - 1)
        )
        return torch.where(
            (uniform[1] < epsilon).to(self.device),
            random.to(self.device),
            self._best(observation, None),
        )

    @fast_matmul()
    @torch.no_grad()
    def _best(self, observation: Tensor, noise: Any) -> Tensor:
        values = self.network.values(self.network(observation, noise))
        check_output("The network of Rainbow", values)
        return values.argmax(1)

    def _noise(self) -> Any:
        """Draws for one pass of a batch."""
        return self.network.noise(self.noise_rng) if self.config.network.noisy else None


MEASURED = ("loss", "value", "grad_norm")
STREAMS = ("action_rng", "noise_rng", "replay_rng")
COUNTERS = ("steps", "updates", "unpaid", "started")


def copied(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all parameters and buffers."""
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
