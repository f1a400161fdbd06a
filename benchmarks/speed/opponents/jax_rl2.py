"""An opponent for `throughput.py`: RL² on bandits as one JAX program, collecting and updating
inside a single jitted function.

It does what `metarl.learners.memory.rl2` does at its default settings, and nothing more: a GRU that
reads the last arm, the last reward and a start flag, generalised advantages over the pulls, 4
epochs of 4 minibatches cut along tasks, the clipped loss, Adam behind a clip of gradient norms. It
needs `jax` and `optax`, in an environment of its own, and prints one JSON line with what it timed.
"""

import argparse
import json
import math
import time
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

EPOCHS = 4
MINIBATCHES = 4
DISCOUNT = 0.99
GAE_LAMBDA = 0.9
CLIP = 0.2
VALUE_WEIGHT = 0.25

Weights = dict[str, jax.Array]


class Played(NamedTuple):
    """A batch of meta-episodes, time first; `features` is what the policy read before each pull."""

    features: jax.Array  # [T, B, arms + 2]
    arm: jax.Array  # [T, B]
    log_prob: jax.Array  # [T, B]
    advantage: jax.Array  # [T, B]
    target: jax.Array  # [T, B]


def initial_weights(key: jax.Array, arms: int, hidden_size: int) -> Weights:
    """Gates lie side by side: reset, update, candidate."""
    keys = jax.random.split(key, 6)
    orthogonal = jax.nn.initializers.orthogonal()
    fan_in = jax.nn.initializers.lecun_normal()
    return {
        "inputs": fan_in(keys[0], (arms + 2, 3 * hidden_size)),
        "recurrent": jnp.concatenate(
            [orthogonal(each, (hidden_size, hidden_size)) for each in keys[1:4]], axis=1
        ),
        "gate_bias": jnp.zeros(3 * hidden_size),
        "candidate_bias": jnp.zeros(hidden_size),
        "policy": 0.01 * fan_in(keys[4], (hidden_size, arms)),
        "policy_bias": jnp.zeros(arms),
        "value": fan_in(keys[5], (hidden_size, 1)),
        "value_bias": jnp.zeros(1),
    }


def remember(weights: Weights, memory: jax.Array, features: jax.Array) -> jax.Array:
    """Return one GRU step: memory [B, H] and features [B, F] give the next memory."""
    reset_in, update_in, candidate_in = jnp.split(
        features @ weights["inputs"] + weights["gate_bias"], 3, axis=-1
    )
    reset_memory, update_memory, candidate_memory = jnp.split(
        memory @ weights["recurrent"], 3, axis=-1
    )
    reset = jax.nn.sigmoid(reset_in + reset_memory)
    update = jax.nn.sigmoid(update_in + update_memory)
    candidate = jnp.tanh(candidate_in + reset * (candidate_memory + weights["candidate_bias"]))
    return update * memory + (1 - update) * candidate


def read_out(weights: Weights, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Log-probabilities of the arms [..., arms] and values [...]."""
    logits = memory @ weights["policy"] + weights["policy_bias"]
    return jax.nn.log_softmax(logits), (memory @ weights["value"] + weights["value_bias"]).squeeze(
        -1
    )


def pick(values: jax.Array, index: jax.Array) -> jax.Array:
    """Return the entry of each row of `values` [..., n] that `index` [...] names."""
    return jnp.take_along_axis(values, index[..., None], axis=-1).squeeze(-1)


def play(
    weights: Weights, key: jax.Array, tasks: int, arms: int, pulls: int
) -> tuple[Played, jax.Array]:
    """Return a meta-episode of `pulls` pulls in each of `tasks` new bandits, with advantages.

    Also the mean return.
    """
    means_key, pulls_key = jax.random.split(key)
    means = jax.random.uniform(means_key, (tasks, arms))

    def pull(
        carry: tuple[jax.Array, jax.Array], key: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, ...]]:
        features, memory = carry
        arm_key, reward_key = jax.random.split(key)
        memory = remember(weights, memory, features)
        log_probs, value = read_out(weights, memory)
        arm = jax.random.categorical(arm_key, log_probs)
        reward = (jax.random.uniform(reward_key, (tasks,)) < pick(means, arm)).astype(jnp.float32)
        seen = jnp.concatenate(
            [jax.nn.one_hot(arm, arms), reward[:, None], jnp.ones((tasks, 1))], axis=1
        )
        return (seen, memory), (features, arm, pick(log_probs, arm), value, reward)

    start = jnp.zeros((tasks, arms + 2)), jnp.zeros((tasks, weights["recurrent"].shape[0]))
    _, (features, arm, log_prob, value, reward) = jax.lax.scan(
        pull, start, jax.random.split(pulls_key, pulls)
    )

    def back(later: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        error, _ = now
        advantage = error + DISCOUNT * GAE_LAMBDA * later
        return advantage, advantage

    # A meta-episode's end is worth nothing
    next_value = jnp.concatenate([value[1:], jnp.zeros((1, tasks))])
    errors = reward + DISCOUNT * next_value - value
    _, advantage = jax.lax.scan(back, jnp.zeros(tasks), (errors, value), reverse=True)
    target = advantage + value
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    return Played(features, arm, log_prob, advantage, target), reward.sum(0).mean()


def loss(weights: Weights, batch: Played) -> jax.Array:
    """Clipped surrogate and squared value error."""

    def along(memory: jax.Array, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        memory = remember(weights, memory, features)
        return memory, memory

    _, memories = jax.lax.scan(
        along, jnp.zeros((batch.arm.shape[1], weights["recurrent"].shape[0])), batch.features
    )
    log_probs, value = read_out(weights, memories)
    ratio = jnp.exp(pick(log_probs, batch.arm) - batch.log_prob)
    surrogate = jnp.minimum(
        ratio * batch.advantage, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * batch.advantage
    )
    return VALUE_WEIGHT * jnp.square(value - batch.target).mean() - surrogate.mean()


@partial(jax.jit, static_argnames=("optimiser", "tasks", "arms", "pulls"))
def iteration(
    weights: Weights,
    moments: Any,
    key: jax.Array,
    optimiser: optax.GradientTransformation,
    tasks: int,
    arms: int,
    pulls: int,
) -> tuple[Weights, Any, jax.Array]:
    """Collect once and update sixteen times."""
    play_key, shuffle_key = jax.random.split(key)
    played, mean_return = play(weights, play_key, tasks, arms, pulls)

    def minibatch(
        carry: tuple[Weights, Any], columns: jax.Array
    ) -> tuple[tuple[Weights, Any], None]:
        weights, moments = carry
        gradient = jax.grad(loss)(weights, Played(*(part[:, columns] for part in played)))
        change, moments = optimiser.update(gradient, moments)
        return (optax.apply_updates(weights, change), moments), None

    def epoch(carry: tuple[Weights, Any], key: jax.Array) -> tuple[tuple[Weights, Any], None]:
        order = jax.random.permutation(key, tasks).reshape(MINIBATCHES, tasks // MINIBATCHES)
        return jax.lax.scan(minibatch, carry, order)

    (weights, moments), _ = jax.lax.scan(
        epoch, (weights, moments), jax.random.split(shuffle_key, EPOCHS)
    )
    return weights, moments, mean_return


def main() -> None:
    """Compile, then time whole iterations until `--seconds` have passed."""
    parser = argparse.ArgumentParser()
    for name, default in (("hidden_size", 64), ("tasks", 4096), ("arms", 5), ("pulls", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=10.0)
    chosen = parser.parse_args()
    schedule = optax.linear_schedule(5e-3, 1e-5, 200 * EPOCHS * MINIBATCHES)
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(schedule, eps=1e-5))
    weights = initial_weights(jax.random.key(0), chosen.arms, chosen.hidden_size)
    moments = optimiser.init(weights)
    count = 0
    score = math.nan
    run = partial(
        iteration, optimiser=optimiser, tasks=chosen.tasks, arms=chosen.arms, pulls=chosen.pulls
    )
    for i in range(2):  # the first compiles
        weights, moments, mean_return = run(weights, moments, jax.random.key(i + 1))
    mean_return.block_until_ready()
    start = time.perf_counter()
    cpu_start = time.process_time()
    while time.perf_counter() - start < chosen.seconds:
        weights, moments, mean_return = run(weights, moments, jax.random.key(count + 3))
        score = float(mean_return)
        count = count + 1
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu_start
    steps = count * chosen.tasks * chosen.pulls
    print(
        json.dumps(
            {
                "steps": steps,
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,
                "return": score,
                "version": f"jax {jax.__version__}",
            }
        )
    )


if __name__ == "__main__":
    main()
