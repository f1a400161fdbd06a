"""A sound learner, as small as one can be, that the tests of the checks break one thing at a time."""

import torch
from torch import Tensor

from metarl.core.budget import Episodes
from metarl.core.seeding import derive_seed, torch_generator
from metarl.core.task_distribution import fresh_tasks
from metarl.envs.meta_episode import MetaEpisodeEnv


class Table:
    """Draws actions from a table of logits [observations, actions]."""

    def __init__(self, logits: Tensor):
        self.logits = logits

    def initial_state(self, batch_size: int) -> tuple:
        return ()

    def act(self, step, state, rng):
        luck = torch.empty(len(step.observation), self.logits.shape[1]).exponential_(generator=rng)
        return (self.logits.detach()[step.observation].softmax(1) / luck).argmax(1), state


class TinyLearner:
    """Policy gradients of single steps (Williams 1992), with Adam, on discrete observations and
    actions.
    """

    rows = 32
    lr = 0.1
    split = "train"

    def __init__(self, distribution, seed: int):
        self.distribution = distribution
        self.rng = torch_generator(seed, "actions")
        self.noise = torch_generator(seed, "noise")
        self.task_seed = derive_seed(seed, "tasks")
        start = 0.01 * torch.randn(
            int(distribution.observation_space.n),
            int(distribution.action_space.n),
            generator=torch_generator(seed, "weights"),
        )
        self.logits = start.requires_grad_()
        self.optimizer = torch.optim.Adam([self.logits], self.lr)
        self.iteration = self.steps = 0

    @property
    def finished(self) -> bool:
        return self.iteration >= 64

    def update(self) -> dict:
        env = MetaEpisodeEnv(self.distribution, Episodes(2, 0), self.rows, self.noise, refill=False)
        source = fresh_tasks(
            self.distribution, self.split, self.rows, self.task_seed, first=self.iteration
        )
        step = env.reset(source)
        loss = torch.zeros(())
        rewards = []
        for _ in range(env.max_steps):
            action, _ = Table(self.logits).act(step, (), self.rng)
            chosen = self.logits[step.observation].log_softmax(1).gather(1, action[:, None])[:, 0]
            step, outcome = env.step(action)
            loss = loss - self.gain(chosen, outcome).mean()
            rewards.append(outcome.reward)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.iteration += 1
        self.steps += self.rows * env.max_steps
        return {"steps": float(self.steps), "return": float(torch.stack(rewards).sum(0).mean())}

    def gain(self, chosen: Tensor, outcome) -> Tensor:
        return chosen * (outcome.reward - outcome.reward.mean())

    def agent(self, budget, seed_index: int = 0) -> Table:
        return Table(self.logits.detach().clone())

    def weights(self, seed_index: int = 0) -> dict:
        return {"logits": self.logits.detach()}

    def load_weights(self, weights: dict) -> None:
        with torch.no_grad():
            self.logits.copy_(weights["logits"])

    def state_dict(self) -> dict:
        moments = self.optimizer.state[self.logits]
        return {
            "logits": self.logits.detach(),
            "optimizer": dict(moments),
            "streams": {"rng": self.rng.get_state(), "noise": self.noise.get_state()},
            "iteration": self.iteration,
            "steps": self.steps,
        }

    def load_state_dict(self, state: dict) -> None:
        self.load_weights(state)
        self.optimizer.state[self.logits] = dict(state["optimizer"])
        self.rng.set_state(state["streams"]["rng"])
        self.noise.set_state(state["streams"]["noise"])
        self.iteration = state["iteration"]
        self.steps = state["steps"]
