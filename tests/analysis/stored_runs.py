"""Folders of runs with scores in them, of agents that pull one arm of a bandit for ever."""

import torch

import metarl
from metarl.runs.store import RunFolder, write_evaluation

BANDIT = metarl.make("BernoulliBandit-v0", arms=5)
BUDGET = metarl.Episodes(9, after=1)
IDENTITY = {
    "learner": "rl2",
    "config": {"iterations": 3, "network": {"core": "gru"}},
    "distribution": "BernoulliBandit-v0",
    "arguments": {"arms": 5},
    "seeds": [0],
    "device": "cpu",
}


class Pull:
    """Pulls one arm for ever, or a random one."""

    def __init__(self, arm=None):
        self.arm = arm

    def initial_state(self, batch_size):
        return ()

    def act(self, step, state, rng):
        drawn = torch.randint(5, step.prev_action.shape, generator=rng)
        return drawn if self.arm is None else torch.full_like(drawn, self.arm), state


def play(arm=None, split="test", num_tasks=200, seed=1, arms=5):
    bandit = BANDIT if arms == 5 else metarl.make("BernoulliBandit-v0", arms=arms)
    return metarl.evaluate(Pull(arm), bandit, split, num_tasks, seed, BUDGET)


def make_run(root, name, training_seed=0, arm=0, splits=("test",), arms=5, seed=1, **changed):
    """Leave a run's folder with the scores of an agent that pulls one arm."""
    changed = {"arguments": {"arms": arms}, **changed}
    run = RunFolder(root / name)
    with run.lock():
        run.adopt({**IDENTITY, "seeds": [training_seed], **changed})
    for split in splits:
        write_evaluation(
            run.path / "evaluations",
            split,
            play(arm, split, seed=seed, arms=arms),
            agent="rl2",
            label="RL²",
            training_seed=training_seed,
        )
    return run.path


def write_random(root, split="test", arms=5):
    """Leave the scores of random play beside runs."""
    write_evaluation(
        root / "agents" / "evaluations",
        f"{split}-random",
        play(split=split, arms=arms),
        agent="random",
        label="Random",
    )
