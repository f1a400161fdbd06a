"""Several networks of one shape as one.

Parameters stacked over seeds, all computed in one batch (one a seed).
"""

import copy
import warnings
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils._pytree import tree_map

from metarl.core.step import Step
from metarl.networks.policies.policy import PolicyOutput

__all__ = ["StackedPolicy"]


class StackedPolicy(nn.Module):
    """S policies over S x B rows: rows s B ... (s + 1) B belong to seed s.

    Args:
        policies: S policies of one shape; their weights are copied.
    """

    def __init__(self, policies: Sequence[nn.Module]):
        super().__init__()
        self.num_seeds = len(policies)
        # In a list, so that its own weights aren't registered
        self._template = [_StepOrSequence(copy.deepcopy(policies[0]))]
        set_static_shapes(self._template[0], True)  # no value can be looked at within vmap
        parameters, buffers = stack_module_state([_StepOrSequence(policy) for policy in policies])
        self._names = {registered_name(name): name for name in (*parameters, *buffers)}
        for name, tensor in parameters.items():
            self.register_parameter(registered_name(name), nn.Parameter(tensor.detach().clone()))
        for name, tensor in buffers.items():
            self.register_buffer(registered_name(name), tensor.clone())

    def initial_state(self, batch_size: int) -> Any:
        """Return the memory of S x B rows that have seen nothing."""
        state = vmap(
            lambda own: functional_call(self._template[0], own, (batch_size // self.num_seeds,))
        )(self._tensors())
        return tree_map(lambda tensor: tensor.flatten(0, 1), state)

    def forward(self, step: Step, state: Any) -> tuple[PolicyOutput, Any]:
        """Return one step of S x B rows."""
        return self._run(step, state)

    def sequence(self, steps: Step) -> PolicyOutput:
        """Whole meta-episodes, each a column of `steps` [T, S x B, ...]."""
        return self._run(steps)

    def preprocess(self, steps: Step, valid: Tensor) -> Step:
        """Return `steps`: seeds read them with normalisers of their own, all in one batch."""
        return steps

    def learn_moments(self, steps: Step, valid: Tensor) -> None:
        """Take each seed's columns of a rollout [T, S x B] into its normalisers."""
        rows = valid.shape[1] // self.num_seeds
        for index in range(self.num_seeds):
            policy: Any = self.select(index)
            columns = slice(index * rows, (index + 1) * rows)
            seen = steps.apply(itemgetter((slice(None), columns)))
            policy.learn_moments(seen, valid[:, columns])
            self.write(index, policy)

    @torch.no_grad()
    def select(self, index: int) -> nn.Module:
        """Member `index` as a policy of its own, sharing no memory with this one."""
        policy = copy.deepcopy(self._template[0].policy).to(next(self.parameters()).device)
        set_static_shapes(policy, False)
        own = self._tensors()
        for name, tensor in named_tensors(policy).items():
            tensor.copy_(own[f"policy.{name}"][index])
        return policy

    @torch.no_grad()
    def write(self, index: int, policy: nn.Module) -> None:
        """Take over the weights and buffers of `policy` as seed `index`."""
        own = self._tensors()
        for name, tensor in named_tensors(policy).items():
            own[f"policy.{name}"][index] = tensor

    def _tensors(self) -> dict[str, Tensor]:
        return {self._names[name]: tensor for name, tensor in named_tensors(self).items()}

    def _run(self, steps: Step, *state: Any) -> Any:
        dim = 0 if state else 1  # rows come first in one step, second in sequences
        # a trajectory doesn't keep every field, and vmap takes none that is None
        seen = {
            name: part.unflatten(dim, (self.num_seeds, -1))
            for name, part in steps._asdict().items()
            if part is not None
        }
        state = tree_map(lambda tensor: tensor.unflatten(0, (self.num_seeds, -1)), state)

        def one(own: dict[str, Tensor], seen: Any, *state: Any) -> Any:
            whole = Step(**{**dict.fromkeys(Step._fields), **seen})
            return functional_call(self._template[0], own, (whole, *state))

        # Attention on a CPU runs seed by seed, which is fast enough and known
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "There is a performance drop")
            out = vmap(one, in_dims=(0, dim, *(0 for _ in state)), out_dims=dim)(
                self._tensors(), seen, *state
            )
        return tree_map(lambda tensor: tensor.flatten(dim, dim + 1), out)


class _StepOrSequence(nn.Module):
    """One module whose call is a step with a state, a whole sequence without one, or the first
    state of a number of rows.
    """

    def __init__(self, policy: Any):
        super().__init__()
        self.policy = policy

    def forward(self, steps: Step | int, *state: Any) -> Any:
        if isinstance(steps, int):
            return self.policy.initial_state(steps)
        return self.policy(steps, *state) if state else self.policy.sequence(steps)


def registered_name(name: str) -> str:
    """Return the name under which a stacked tensor is saved.

    A user's module keeps its own names.
    """
    return name.replace("policy.own.", "policy.", 1).replace(".", "/")


@runtime_checkable
class LooksAtValues(Protocol):
    """A module that looks at a tensor's value to save work, unless `static_shapes` is true."""

    static_shapes: bool


def set_static_shapes(policy: nn.Module, static: bool) -> None:
    """Tell the modules of `policy` that may look at a tensor's value to save work whether they must
    not.
    """
    for module in policy.modules():
        if isinstance(module, LooksAtValues):
            module.static_shapes = static


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}
