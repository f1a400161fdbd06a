"""Steps of invented meta-episodes in tabular MDPs, for tests of agents that remember and plan."""

import torch

from metarl.core.step import Step


def told(states, transitions):
    """Return one row's steps for a list of (action, reward, next state, end).

    An end is None, "terminated" or "truncated"; the next episode starts in state 0.

    Args:
        states: the meta-episode's first state.
        transitions: what each action brought.
    """
    tensor = torch.tensor
    steps = [
        Step(
            tensor([states]),
            tensor([0]),
            tensor([0.0]),
            tensor([False]),
            tensor([False]),
            tensor([states]),
            tensor([True]),
        )
    ]
    for action, reward, following, end in transitions:
        shown = 0 if end else following
        ends = tensor([end == "terminated"]), tensor([end == "truncated"])
        steps.append(
            Step(
                tensor([shown]),
                tensor([action]),
                tensor([reward]),
                *ends,
                tensor([following]),
                tensor([False]),
            )
        )
    return steps


def side_by_side(rows):
    """Rows of steps, equally many each, as one batch."""
    return [
        Step(*(torch.cat(parts) for parts in zip(*steps, strict=True)))
        for steps in zip(*rows, strict=True)
    ]


def invented(states, actions, length, rows, seed):
    """Random transitions and ends in `rows` tasks that all start together."""
    rng = torch.Generator().manual_seed(seed)
    numbers = torch.rand(rows, length, 3, generator=rng)
    rewards = torch.randn(rows, length, generator=rng)
    ends = [None, None, None, None, None, "terminated", "truncated"]
    return side_by_side(
        [
            told(
                0,
                [
                    (int(a * actions), float(rewards[i, t]), int(s * states), ends[int(e * 7)])
                    for t, (a, s, e) in enumerate(numbers[i].tolist())
                ],
            )
            for i in range(rows)
        ]
    )
