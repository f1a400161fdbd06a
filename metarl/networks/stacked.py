"""Several networks of one shape as one: parameters stacked over members, all computed in one batch (one member a seed)."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils._pytree import tree_map

from metarl.envs.meta_episode import Step
from metarl.networks.policy import PolicyOutput, unroll

__all__ = ["StackedPolicy"]


class StackedPolicy(nn.Module):
    """S policies over S x B rows: rows s B ... (s + 1) B belong to member s.

    Args:
        policies: S policies of one shape; their weights are copied.
    """

    def __init__(self, policies: Sequence[nn.Module]):
        super().__init__()
        self.num_members = len(policies)
        self._template = [_StepOrSequence(copy.deepcopy(policies[0]))]  # in a list, so that its own weights aren't registered
        for module in self._template[0].modules():
            if hasattr(module, "static_shapes"):
                module.static_shapes = True  # no value can be looked at within vmap
        parameters, buffers = stack_module_state([_StepOrSequence(policy) for policy in policies])
        self._names = {name.replace(".", "/"): name for name in (*parameters, *buffers)}
        for name, tensor in parameters.items():
            self.register_parameter(name.replace(".", "/"), nn.Parameter(tensor.detach().clone()))
        for name, tensor in buffers.items():
            self.register_buffer(name.replace(".", "/"), tensor.clone())

    def initial_state(self, batch_size: int) -> Any:
        """The memory of S x B rows that have seen nothing."""
        device = next(self.parameters()).device
        return tree_map(lambda tensor: tensor.to(device), self._template[0].policy.initial_state(batch_size))

    def forward(self, step: Step, state: Any) -> tuple[PolicyOutput, Any]:
        """One step of S x B rows."""
        return self._run(step, state)

    def sequence(self, steps: Step) -> PolicyOutput:
        """Whole meta-episodes, each a column of `steps` [T, S x B, ...]."""
        return self._run(steps)

    def member(self, index: int) -> nn.Module:
        """Member `index` as a policy of its own, sharing no memory with this one."""
        policy = copy.deepcopy(self._template[0].policy).to(next(self.parameters()).device)
        tensors = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        for module in policy.modules():
            if hasattr(module, "static_shapes"):
                module.static_shapes = False
        policy.load_state_dict(
            {self._names[name].removeprefix("policy."): tensor[index].detach().clone() for name, tensor in tensors.items()}
        )
        return policy

    @torch.no_grad()
    def write_member(self, index: int, policy: nn.Module) -> None:
        """Take over the weights and buffers of `policy` as member `index`."""
        own = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        for name, tensor in policy.state_dict().items():
            own["policy/" + name.replace(".", "/")][index] = tensor

    def _run(self, steps: Step, *state: Any) -> Any:
        dim = 0 if state else 1  # rows come first in one step, second in sequences

        def split(tensor: Tensor) -> Tensor:
            return tensor.unflatten(dim, (self.num_members, -1))

        tensors = {self._names[name]: tensor for name, tensor in (*self.named_parameters(), *self.named_buffers())}
        out = vmap(
            lambda own, *arguments: functional_call(self._template[0], own, arguments), in_dims=(0, dim, *(0 for _ in state)), out_dims=dim
        )(tensors, tree_map(split, steps), *(tree_map(lambda tensor: tensor.unflatten(0, (self.num_members, -1)), part) for part in state))
        return tree_map(lambda tensor: tensor.flatten(dim, dim + 1), out)


class _StepOrSequence(nn.Module):
    """One module whose call is a step with a state, or a whole sequence without one, as `functional_call` needs."""

    def __init__(self, policy: nn.Module):
        super().__init__()
        self.policy = policy

    def forward(self, steps: Step, *state: Any) -> Any:
        return self.policy(steps, *state) if state else unroll(self.policy, steps)
