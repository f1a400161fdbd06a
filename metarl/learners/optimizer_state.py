"""What an optimiser of PyTorch's has gathered, as tensors by the position of the parameter they
belong to.
"""

import torch
from torch import Tensor

__all__ = ["load_optimizer_state", "optimizer_state"]


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, dict[str, Tensor]]:
    """Copies of the moments and counters of each parameter that has been improved."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kept = (
        (i, optimizer.state[parameter])
        for i, parameter in enumerate(parameters)
        if parameter in optimizer.state
    )
    return {
        str(i): {name: tensor.clone() for name, tensor in moments.items()} for i, moments in kept
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, state: dict[str, dict[str, Tensor]]
) -> None:
    """Take over what `optimizer_state` gave.

    Settings such as the learning rate stay as they are.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    optimizer.state.clear()
    for i, parameter in enumerate(parameters):
        if str(i) in state:
            optimizer.state[parameter] = {
                name: tensor.clone().to(parameter.device) for name, tensor in state[str(i)].items()
            }
