"""Stable-Baselines3 both ways: its algorithms on our meta-episodes, and its models as agents that
the protocol scores beside ours.

A model reads what `gymnasium.make("metarl/<id>", ...)` shows: observation, previous action,
previous reward and episode start in one vector (`metarl.interop.step_features`), so that one with
memory, such as sb3-contrib's RecurrentPPO, can learn to learn as RL² does.
"""

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Generator, Tensor

from metarl.core.arguments import check_seed
from metarl.core.budget import Budget
from metarl.core.capabilities import draws_rows
from metarl.core.errors import PlugInError
from metarl.core.lookup import shown
from metarl.core.registry import task_distribution
from metarl.core.spaces import action_dtype
from metarl.core.step import Step
from metarl.core.task_distribution import TaskDistribution
from metarl.interop.gymnasium_env import MetaEpisodeVector, meta_episode_budget
from metarl.interop.step_features import StepFeatures

__all__ = ["StableBaselines3Agent", "from_sb3", "vec_env"]

# Of a recurrent policy: its actor's hidden and cell state, [B, layers, units] each; else nothing
Memory = tuple[Tensor, ...]


def vec_env(
    distribution: TaskDistribution | str,
    num_envs: int = 64,
    budget: Budget | int | None = None,
    split: str = "train",
    seed: int | None = None,
    *,
    episodes: int | None = None,
    steps: int | None = None,
) -> Any:
    """Return meta-episodes of `distribution` as a VecEnv of Stable-Baselines3, all rows stepped in
    one batch.

    An episode there is a meta-episode here. One of a number of episodes terminates; one of a number
    of steps is truncated, and tells so by "TimeLimit.truncated". Returns of meta-episodes are noted
    as by VecMonitor.

    Args:
        distribution: what is played, or its id.
        num_envs: rows.
        budget: how long a meta-episode lasts; a number is one of episodes. Ten episodes if nothing
            is said.
        split: which split of tasks.
        seed: names all streams; without one, and without `env.seed(...)`, they differ from time to
            time.
        episodes: or how many episodes a meta-episode has, as in `gymnasium.make`.
        steps: or how many steps it lasts.

    Raises:
        ValueError: Stable-Baselines3 isn't installed, or something that MetaEpisodeVector refuses.
    """
    try:
        from stable_baselines3.common.vec_env import VecMonitor

        from metarl.interop.stable_baselines3_vec_env import MetaEpisodeVecEnv
    except ModuleNotFoundError as error:
        raise ValueError(
            "A VecEnv needs Stable-Baselines3: pip install stable-baselines3."
        ) from error
    budget = meta_episode_budget(budget, episodes, steps)
    seed = None if seed is None else check_seed(seed)
    distribution = task_distribution(distribution)
    draws = "rgb_array" if draws_rows(distribution) else None
    env = MetaEpisodeVecEnv(
        MetaEpisodeVector(distribution, budget, split, num_envs, batched=True, render_mode=draws)
    )
    if seed is not None:  # without one, Stable-Baselines3 would draw it from a global generator
        env.seed(seed)
    return VecMonitor(env)


def from_sb3(
    model: Any,
    distribution: TaskDistribution | str | None = None,
    *,
    deterministic: bool = True,
    normalise: Any = None,
) -> "StableBaselines3Agent":
    """Return an agent that acts as a model of Stable-Baselines3 or sb3-contrib does, with a copy of
    its weights.

    PPO, A2C, DQN, SAC, TD3 and RecurrentPPO; other models, if they are built of the same policies.
    A memory is kept for the whole meta-episode and emptied at its start.

    Args:
        model: trained on `gymnasium.make("metarl/<id>", ...)` or `vec_env`.
        distribution: what it plays, or its id; that of the model's environment if left out, which a
            loaded model doesn't have.
        deterministic: take the most likely action; otherwise draw one (of DQN: explore as at the
            end of its training).
        normalise: the VecNormalize whose statistics it was trained with; that of the model's
            environment if left out.

    Raises:
        ValueError: no model, one trained on other spaces, or no distribution.
    """
    policy = getattr(model, "policy", None)
    env = getattr(model, "env", None)
    if (
        not isinstance(policy, torch.nn.Module)
        or not hasattr(model, "observation_space")
        or isinstance(model, type)
    ):
        raise ValueError(
            "A model of Stable-Baselines3 is needed, such as PPO(...) or PPO.load(file), not"
            f" {shown(model)}."
        )
    if distribution is None:
        distribution = _distribution_of(env)
    distribution = task_distribution(distribution)
    normaliser = (
        model.get_vec_normalize_env() if normalise is None and env is not None else normalise
    )
    if normaliser is not None and not callable(getattr(normaliser, "normalize_obs", None)):
        raise ValueError(
            "normalise must be the VecNormalize that the model was trained with, not"
            f" {shown(normaliser)}."
        )
    policy = _copied(policy)
    sampler = (
        None if deterministic else _sampler(policy, float(getattr(model, "exploration_rate", 0.0)))
    )
    return StableBaselines3Agent(
        policy, distribution, sampler, _statistics(normaliser), type(model).__name__
    )


def _copied(policy: Any) -> Any:
    """Return a copy of the policy, ready to act.

    Distributions left over from training aren't copied, since acting makes its own.
    """
    leftover: dict[int, Any] = {}  # by id, as deepcopy notes what it has copied already
    for module in policy.modules():
        if "action_dist" in vars(module):
            parts = vars(module.action_dist).values()
            leftover |= {
                id(part): part
                for part in parts
                if isinstance(part, Tensor | torch.distributions.Distribution | list)
            }
    copied = copy.deepcopy(policy, leftover)
    copied.set_training_mode(False)
    return copied


def _distribution_of(env: Any) -> TaskDistribution:
    """Return what the environment of a model plays.

    Raises:
        ValueError: there is no environment, or it isn't one of ours.
    """
    try:
        found: TaskDistribution = env.get_attr("distribution")[0]
    except AttributeError as error:
        why = (
            "has no environment, as loaded ones don't"
            if env is None
            else "was trained on an environment that isn't metarl's"
        )
        raise ValueError(
            f'This model {why}: say what it plays, from_sb3(model, "BernoulliBandit-v0").'
        ) from error
    return found


def _statistics(normaliser: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return how VecNormalize changes observations, with its moments as they are now.

    Nothing is changed where there is none.
    """
    if normaliser is None or not normaliser.norm_obs:
        return lambda features: features
    moments = copy.deepcopy(normaliser.obs_rms)
    most = normaliser.clip_obs
    deviation = np.sqrt(moments.var + normaliser.epsilon)
    return lambda features: np.clip((features - moments.mean) / deviation, -most, most).astype(
        np.float32
    )


class StableBaselines3Agent:
    """Acts as a model of Stable-Baselines3: what the policy sees are the vectors that the way out
    to Gymnasium gives.

    Attributes:
        observation_space, action_space: of the distribution that it plays.
        label: as tables print it.
    """

    def __init__(
        self,
        policy: Any,
        distribution: TaskDistribution,
        sampler: "Callable[[Any, Tensor, Any, Generator], tuple[Tensor, Any]] | None",
        normalised: Callable[[np.ndarray], np.ndarray],
        label: str,
    ):
        self.observation_space = distribution.observation_space
        self.action_space = distribution.action_space
        self.features = StepFeatures(self.observation_space, self.action_space)
        _check_spaces(policy, distribution, self.features.space)
        self.policy = policy
        self.label = label
        self._sampler = sampler
        self._normalised = normalised
        self._recurrent = hasattr(policy, "lstm_hidden_state_shape")

    def __repr__(self) -> str:
        return (
            f"<{self.label} of Stable-Baselines3 as an agent,"
            f" {'most likely actions' if self._sampler is None else 'drawn actions'}>"
        )

    def initial_state(self, batch_size: int) -> Memory:
        """Return an empty memory, or none where the policy has none."""
        if not self._recurrent:
            return ()
        layers, _, units = self.policy.lstm_hidden_state_shape
        return tuple(torch.zeros(batch_size, layers, units) for _ in range(2))

    @torch.no_grad()
    def act(self, step: Step, state: Memory, rng: Generator) -> tuple[Tensor, Memory]:
        """Return one step of B rows."""
        step = Step(*(part.cpu() for part in step))
        vectors = self.features(
            step.observation,
            step.prev_action,
            step.prev_reward,
            step.episode_start,
            step.meta_episode_start,
        )
        observation, _ = self.policy.obs_to_tensor(self._normalised(vectors))
        memory = None
        # The policy itself empties the memory where an episode, which is our meta-episode, starts
        if self._recurrent:
            memory = (
                _turned(state, observation.device),
                step.meta_episode_start.to(observation.device, torch.float32),
            )
        act = _most_likely if self._sampler is None else self._sampler
        action, memory = act(self.policy, observation, memory, rng)
        return self._to_environment(action).to(rng.device), (
            _turned(memory, torch.device("cpu")) if self._recurrent else ()
        )

    def _to_environment(self, action: Tensor) -> Tensor:
        """Return what the environment gets for what the policy gives.

        Within its box, and of its shape and type.
        """
        values = action.cpu().numpy().reshape(-1, *(self.action_space.shape or ()))
        if isinstance(self.action_space, gym.spaces.Box):
            low = self.action_space.low
            high = self.action_space.high
            values = (
                self.policy.unscale_action(values)
                if self.policy.squash_output
                else np.clip(values, low, high)
            )
        return torch.from_numpy(np.array(values)).to(action_dtype(self.action_space))


def _check_spaces(policy: Any, distribution: TaskDistribution, reads: gym.Space) -> None:
    """Raise ValueError unless the policy was trained on what the way out shows of `distribution`,
    for its actions.
    """
    if policy.action_space != distribution.action_space:
        raise ValueError(
            f"This model has the actions {policy.action_space}; {distribution!r} has"
            f" {distribution.action_space}."
        )
    if (
        policy.observation_space.shape == reads.shape
        and policy.observation_space.dtype == reads.dtype
    ):
        return
    raise ValueError(
        f"This model reads {_short(policy.observation_space)}; what it would see of"
        f" {distribution!r} is {_short(reads)}: observation, "
        "previous action, previous reward and episode start. Train it on"
        f' gymnasium.make("metarl/{distribution.id}", ...) or '
        "metarl.interop.stable_baselines3.vec_env, without wrappers that change observations (but"
        " VecNormalize)."
    )


def _short(space: gym.Space) -> str:
    return f"{type(space).__name__}{space.shape} of {space.dtype}"


def _turned(memory: Any, device: torch.device) -> Memory:
    """Return a memory with rows and layers in each other's place.

    Sb3-contrib has [layers, B, units].
    """
    return tuple(part.transpose(0, 1).contiguous().to(device) for part in memory)


def _most_likely(
    policy: Any, observation: Tensor, memory: Any, rng: Generator
) -> tuple[Tensor, Any]:
    """Return the policy's deterministic actions [B, *act], and its memory after them."""
    if memory is None:
        return policy._predict(observation, deterministic=True), None
    action, memory = policy._predict(observation, *memory, deterministic=True)
    return action, memory


def _sampler(
    policy: Any, exploration: float
) -> Callable[[Any, Tensor, Any, Generator], tuple[Tensor, Any]]:
    """Return how actions are drawn from `policy` with a generator that is given, since the library
    draws from global ones.

    Raises:
        ValueError: a policy that gives no distribution, or one whose noise goes on from step to
            step.
    """
    if getattr(policy, "use_sde", False) or getattr(
        getattr(policy, "actor", None), "use_sde", False
    ):
        raise ValueError(
            "The noise of use_sde goes on from step to step and can't be drawn here: use"
            " deterministic=True."
        )
    if hasattr(policy, "get_distribution"):
        return _drawn
    if hasattr(policy, "q_net"):
        return lambda policy, observation, memory, rng: (
            _explored(policy, observation, exploration, rng),
            None,
        )
    if hasattr(getattr(policy, "actor", None), "get_action_dist_params"):
        return lambda policy, observation, memory, rng: (
            _squashed(policy.actor, observation, rng),
            None,
        )
    raise ValueError(
        f"A {type(policy).__name__} gives no distribution to draw actions from: use"
        " deterministic=True."
    )


def _drawn(policy: Any, observation: Tensor, memory: Any, rng: Generator) -> tuple[Tensor, Any]:
    """Actions of an actor-critic policy."""
    if memory is None:
        return _draw(policy.get_distribution(observation).distribution, rng), None
    distribution, memory = policy.get_distribution(observation, *memory)
    return _draw(distribution.distribution, rng), memory


def _draw(distribution: Any, rng: Generator) -> Tensor:
    """Draw from one of PyTorch's distributions [B, ...], or from a list of them, one an entry of
    the action.
    """
    if isinstance(distribution, list):
        return torch.stack([_draw(each, rng) for each in distribution], 1)
    if isinstance(distribution, torch.distributions.Categorical):
        return (
            _uniform(distribution.probs[..., :1], rng)
            .gt(distribution.probs.cumsum(-1)[..., :-1])
            .sum(-1)
        )
    if isinstance(distribution, torch.distributions.Bernoulli):
        return (_uniform(distribution.probs, rng) < distribution.probs).to(torch.int64)
    if isinstance(distribution, torch.distributions.Normal):
        return distribution.mean + distribution.stddev * _normal(distribution.mean, rng)
    raise PlugInError(
        f"Actions can't be drawn from a {type(distribution).__name__} here: use deterministic=True."
    )


def _explored(policy: Any, observation: Tensor, exploration: float, rng: Generator) -> Tensor:
    """DQN's actions [B]: each row's best, or with probability `exploration` any."""
    best = policy._predict(observation, deterministic=True)
    count = int(policy.action_space.n)
    explores = _uniform(best.float(), rng) < exploration
    anything = (_uniform(best.float(), rng) * count).to(best.dtype).clamp(max=count - 1)
    return torch.where(explores, anything, best)


def _squashed(actor: Any, observation: Tensor, rng: Generator) -> Tensor:
    """SAC's actions [B, A], between -1 and 1."""
    mean, log_std, _ = actor.get_action_dist_params(observation)
    return torch.tanh(mean + log_std.exp() * _normal(mean, rng))


def _uniform(like: Tensor, rng: Generator) -> Tensor:
    return torch.rand(like.shape, generator=rng, device=rng.device).to(like.device)


def _normal(like: Tensor, rng: Generator) -> Tensor:
    return torch.randn(like.shape, generator=rng, device=rng.device).to(like.device)
