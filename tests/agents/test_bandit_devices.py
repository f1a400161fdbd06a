"""Bandit agents follow the steps' device, tables and all."""

import numpy as np
import pytest
import torch

from metarl.agents.registry import agent_names, make_agent
from metarl.core.budget import Episodes
from metarl.evaluation.protocol import evaluate
from metarl.tasks.bandits.bernoulli_bandit import BernoulliBandit
from metarl.tasks.bandits.gaussian_bandit import GaussianBandit

BUDGET = Episodes(12, 0)
CASES = [
    (id, bandit) for bandit in (BernoulliBandit(4), GaussianBandit(4)) for id in agent_names(bandit)
]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("id", "bandit"), CASES, ids=[f"{id}-{bandit.id}" for id, bandit in CASES])
def test_scores_on_a_gpu_agree_with_those_on_a_cpu(id, bandit):
    agent = make_agent(id, bandit, BUDGET)
    cpu, gpu, back = (
        evaluate(agent, bandit, "test", 8000, 5, BUDGET, device=device).scores()
        for device in ("cpu", "cuda", "cpu")
    )
    assert abs(cpu.mean() - gpu.mean()) < 4 * np.hypot(cpu.std(), gpu.std()) / 8000**0.5
    assert np.array_equal(cpu, back)
