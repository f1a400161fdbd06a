"""Numbers that aren't finite, found where they arise: in what an update left, in weights that are
loaded, in what a policy puts out.

Each of these looks at a whole tensor by one number of it (a sum or a norm), and looks closer only
where that isn't finite.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path

__all__ = ["all_finite", "check_output", "check_update", "check_weights"]


@torch.no_grad()
def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Return whether no entry of the floating tensors among `tensors` is NaN or infinite.

    One wait for the device in all.
    """
    floating = [
        tensor.detach() for tensor in tensors if tensor.is_floating_point() and tensor.numel()
    ]
    if not floating:
        return True
    norms = torch._foreach_norm(floating, math.inf)
    return bool(torch.stack([norm.double() for norm in norms]).isfinite().all())


def check_update(iteration: int, measured: Mapping[str, float], trained: Iterable[Tensor]) -> None:
    """Raise ValueError if an update diverged: every learner's `update` ends with this.

    Args:
        iteration: which update that was, from 1.
        measured: what it measured. trained: what it trained, with the normalisers.
    """
    bad = [f"{name} is {value}" for name, value in measured.items() if not math.isfinite(value)]
    if not bad and not all_finite(trained):
        bad = ["a weight isn't finite"]
    if bad:
        raise ValueError(
            f"Training diverged in iteration {iteration}: {', '.join(bad)}. Train anew with a"
            " smaller learning rate, or go on from an earlier checkpoint: what this learner holds"
            " now is of no use."
        )


def check_weights(weights: Any) -> None:
    """Raise ValueError if a tensor anywhere in `weights`, nested dicts and lists, isn't finite.

    The first is named.
    """
    named = [
        (path, leaf)
        for path, leaf in tree_flatten_with_path(weights)[0]
        if isinstance(leaf, Tensor)
    ]
    if all_finite(tensor for _, tensor in named):
        return
    bad = [keystr(path) for path, tensor in named if not all_finite([tensor])]
    raise ValueError(
        f"These weights hold numbers that aren't finite (NaN or infinite), first in {bad[0]}"
        f" ({len(bad)} of {len(named)} tensors): training had diverged. Take an earlier checkpoint,"
        " or train with a smaller learning rate."
    )


def check_output(who: str, *outputs: Tensor) -> None:
    """Raise ValueError if what `who` puts out for B rows isn't finite.

    Only tensors on a CPU are looked at, where that costs little; a look at every step would hold up
    a GPU.

    Args:
        who: an agent or a policy. outputs: [B, ...] parameters of action distributions, values,
            actions.
    """
    for output in outputs:
        if output.device.type != "cpu" or bool(output.sum().isfinite()):
            continue
        rows = (~output.isfinite()).reshape(len(output), -1).any(1).nonzero()
        if len(rows):
            row = int(rows[0])
            value = float(output[row][~output[row].isfinite()].flatten()[0])
            raise ValueError(
                f"{who} puts out numbers that aren't finite ({value} in row {row}): its weights are"
                " spoilt, as by training that diverged, or what it computes overflows. Train with"
                " a smaller learning rate, or take an earlier checkpoint."
            )
