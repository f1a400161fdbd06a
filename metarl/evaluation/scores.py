"""Scores that know which of them are of the same task, so that no interval takes repeats for new
information.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Scores", "same_tasks", "scores_of", "task_codes"]


REDUCTIONS = (np.mean, np.sum)
ARRANGING = (  # functions that put the entries of their first argument elsewhere
    np.array_split,
    np.concatenate,
    np.copy,
    np.delete,
    np.expand_dims,
    np.flip,
    np.hstack,
    np.moveaxis,
    np.ravel,
    np.repeat,
    np.reshape,
    np.roll,
    np.split,
    np.squeeze,
    np.stack,
    np.swapaxes,
    np.take,
    np.tile,
    np.transpose,
    np.vstack,
)
ELEMENTWISE = (np.clip, np.nan_to_num, np.round, np.where)
ALONG_AN_AXIS = (  # functions of the entries along `axis`, which is their second argument
    np.all,
    np.any,
    np.average,
    np.count_nonzero,
    np.max,
    np.median,
    np.min,
    np.nanmax,
    np.nanmean,
    np.nanmedian,
    np.nanmin,
    np.nanstd,
    np.nansum,
    np.nanvar,
    np.prod,
    np.ptp,
    np.std,
    np.var,
)
QUANTILES = (np.nanpercentile, np.nanquantile, np.percentile, np.quantile)  # `axis` is their third
CUMULATIVE = (np.cumprod, np.cumsum, np.nancumsum)


class Scores(np.ndarray):
    """An ordinary array of float64, with the task behind each number.

    Every function of `metarl.evaluation.statistics` looks at `task_keys`. They follow slices,
    masks, arithmetic (`a.scores() - b.scores()`), bounds and rounding, `np.where`, means, extremes
    and running sums over entries of one task, other shapes, `np.stack` and the like, copies and
    pickles. Other functions of NumPy, and `np.asarray`, give plain arrays, whose entries count as
    so many tasks.

    Attributes:
        task_keys: of the array's shape; equal keys are the same task. None where an array was made
            that has none.
    """

    task_keys: np.ndarray | None

    def __array_finalize__(self, source: Any) -> None:
        self.task_keys = None  # whoever makes a part, a copy or a result says which keys it has

    def __getitem__(self, index: Any) -> Any:
        part = np.asarray(self)[index]
        return part if self.task_keys is None else _with_keys(part, self.task_keys[index])

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Sort in place; which task was which is then no longer known."""
        super().sort(*args, **kwargs)
        self.task_keys = None

    def reshape(self, *args: Any, **kwargs: Any) -> Any:
        """Return the same numbers in another shape."""
        return self._arranged("reshape", *args, **kwargs)

    def transpose(self, *args: Any) -> Any:
        """Return the same numbers with other axes."""
        return self._arranged("transpose", *args)

    def ravel(self, *args: Any, **kwargs: Any) -> Any:
        """Return the same numbers in a row."""
        return self._arranged("ravel", *args, **kwargs)

    def flatten(self, *args: Any, **kwargs: Any) -> Any:
        """Return a copy of the numbers in a row."""
        return self._arranged("flatten", *args, **kwargs)

    def squeeze(self, *args: Any, **kwargs: Any) -> Any:
        """Return the same numbers without axes of length one."""
        return self._arranged("squeeze", *args, **kwargs)

    def swapaxes(self, *args: Any) -> Any:
        """Return the same numbers with two axes exchanged."""
        return self._arranged("swapaxes", *args)

    def repeat(self, *args: Any, **kwargs: Any) -> Any:
        """Return each number several times."""
        return self._arranged("repeat", *args, **kwargs)

    def compress(self, *args: Any, **kwargs: Any) -> Any:
        """Return the numbers for which a condition holds."""
        return self._arranged("compress", *args, **kwargs)

    def round(self, decimals: int = 0) -> Any:  # type: ignore[override]
        """Return the numbers rounded."""
        return np.round(self, decimals)

    def cumsum(self, axis: Any = None, dtype: Any = None) -> Any:  # type: ignore[override]
        """Running sums, which know their tasks where each is of one."""
        return np.cumsum(self, axis, dtype)

    @property
    def T(self) -> Any:
        """The same numbers with all axes in the opposite order."""
        return self.transpose()

    def _arranged(self, method: str, *args: Any, **kwargs: Any) -> Any:
        keys = self.task_keys
        return _with_keys(
            getattr(np.asarray(self), method)(*args, **kwargs),
            None if keys is None else getattr(keys, method)(*args, **kwargs),
        )

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        """Return a copy that knows its tasks."""
        return _with_keys(np.asarray(self).copy(*args, **kwargs), self.task_keys)

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        """Return the same numbers in another type, with their tasks."""
        return _with_keys(np.asarray(self).astype(*args, **kwargs), self.task_keys)

    __copy__ = copy

    def __array_ufunc__(
        self,
        ufunc: np.ufunc,
        method: str,
        *inputs: Any,
        out: tuple[Any, ...] | None = None,
        **kwargs: Any,
    ) -> Any:
        plain = [_plain(value) for value in inputs]
        if out is not None:
            kwargs["out"] = tuple(_plain(value) for value in out)
        result = getattr(ufunc, method)(*plain, **kwargs)
        if method == "__call__" and isinstance(result, np.ndarray) and ufunc.signature is None:
            result = _with_keys(result, _common_keys(inputs, result.shape))
        elif method == "reduce" and isinstance(result, np.ndarray):
            result = _with_reduced_keys(result, self.task_keys, kwargs.get("axis", 0))
        return result if out is None else out[0] if len(out) == 1 else out

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        if func in REDUCTIONS and isinstance(args[0], Scores):
            return getattr(args[0], func.__name__)(*args[1:], **kwargs)
        result = func(*_plain(args), **{name: _plain(value) for name, value in kwargs.items()})
        if func in ELEMENTWISE and isinstance(result, np.ndarray):
            return _with_keys(result, _common_keys([*args, *kwargs.values()], result.shape))
        if func in ALONG_AN_AXIS or func in QUANTILES or func in CUMULATIVE:
            second = 2 if func in QUANTILES else 1
            axis = kwargs.get("axis", args[second] if len(args) > second else None)
            keys = _keys_of(args[0])
            return (
                _with_cumulative_keys(result, keys, axis)
                if func in CUMULATIVE
                else _with_reduced_keys(result, keys, axis)
            )
        keys = _keys_of(args[0]) if func in ARRANGING else None
        if keys is None:
            return result
        arranged = func(keys, *args[1:], **kwargs)
        if isinstance(result, list | tuple):
            return [_with_keys(part, own) for part, own in zip(result, arranged, strict=True)]
        return _with_keys(result, arranged)

    def __reduce__(self) -> tuple[Any, ...]:
        return scores_of, (np.array(self), self.task_keys)

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()


def scores_of(values: ArrayLike, task_keys: ArrayLike | None) -> Scores:
    """`values` with the key of each one's task.

    Args:
        values: [tasks, ...]. task_keys: of the same shape, or one a task [tasks]; None where tasks
            aren't known.

    Raises:
        ValueError: keys of another number of tasks.
    """
    array = np.asarray(values).view(Scores)
    if task_keys is None:
        return array
    keys = np.asarray(task_keys)
    if keys.shape != array.shape:
        if keys.shape != array.shape[:1]:
            raise ValueError(
                f"Each score has a task: {array.shape} scores can't have {keys.shape} tasks."
            )
        keys = np.broadcast_to(keys.reshape(-1, *[1] * (array.ndim - 1)), array.shape)
    array.task_keys = keys
    return array


def same_tasks(task_keys: np.ndarray | None) -> np.ndarray | None:
    """For each task [n], the position of the first one that is the same, as stored tables have it.

    None where no task comes twice.
    """
    if task_keys is None:
        return None
    _, first, inverse = np.unique(task_keys, return_index=True, return_inverse=True)
    return None if len(first) == len(task_keys) else first[inverse.reshape(-1)]


def task_codes(
    count: int, arrays: Sequence[Any], tasks: ArrayLike | None = None
) -> np.ndarray | None:
    """Number the distinct tasks behind `count` scores: [count] int64 from 0 on; None where no task
    comes twice.

    Args:
        arrays: of scores [count] or [..., count], paired; each that knows its tasks has a say, so
            that two scores are of the same task if all agree.
        tasks: [count] labels of any kind, such as a column of a stored table; they overrule what
            arrays know.

    Raises:
        ValueError: labels of another number of tasks.
    """
    if tasks is not None:
        labels = [np.asarray(tasks)]
    else:
        known = [getattr(array, "task_keys", None) for array in arrays]
        labels = [
            keys.reshape(-1, keys.shape[-1])[0] for keys in known if keys is not None and keys.ndim
        ]
    if not labels:
        return None
    if any(label.shape != (count,) for label in labels):
        raise ValueError(
            f"tasks must name the task of each of the {count} scores, not be of shape"
            f" {labels[0].shape}."
        )
    codes = _codes(labels[0])
    for label in labels[1:]:
        if label is not labels[0] and not np.array_equal(label, labels[0]):
            codes = _codes(codes * np.int64(count) + _codes(label))
    return None if int(codes.max(initial=-1)) + 1 == count else codes


def _codes(labels: np.ndarray) -> np.ndarray:
    codes: np.ndarray = np.unique(labels, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return codes


def _plain(value: Any) -> Any:
    if isinstance(value, Scores):
        return value.view(np.ndarray)
    if isinstance(value, tuple | list):
        return (
            type(value)(_plain(each) for each in value) if type(value) in (tuple, list) else value
        )
    return value


def _keys_of(value: Any) -> Any:
    """Return the keys of an array or of a list of arrays; None where one has none."""
    if isinstance(value, tuple | list):
        keys = [_keys_of(each) for each in value]
        return None if any(key is None for key in keys) else keys
    return getattr(value, "task_keys", None)


def _with_keys(result: Any, keys: np.ndarray | None) -> Any:
    if keys is None or not isinstance(result, np.ndarray) or result.shape != keys.shape:
        return result
    labelled = result.view(Scores)
    labelled.task_keys = keys
    return labelled


def _common_keys(inputs: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray | None:
    """Keys of an elementwise result.

    Those of the one input, or of both where they agree, else a key for each pair.
    """
    known = [
        keys for keys in (getattr(value, "task_keys", None) for value in inputs) if keys is not None
    ]
    if not known:
        return None
    keys = np.broadcast_to(known[0], shape)
    for other in known[1:]:
        if other is not known[0] and not np.array_equal(np.broadcast_to(other, shape), keys):
            pairs = np.stack([keys.ravel(), np.broadcast_to(other, shape).ravel()], 1)
            keys = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(shape)
    return keys


def _with_reduced_keys(result: Any, keys: np.ndarray | None, axis: Any) -> Any:
    """`result` of a function along `axis`, which may have kept that axis or put others in front,
    with its keys.
    """
    reduced = None if keys is None else _reduced_keys(keys, axis)
    if keys is None or reduced is None or not isinstance(result, np.ndarray):
        return result
    if result.ndim == keys.ndim and result.shape != reduced.shape:
        kept = np.expand_dims(reduced, axis)
        if kept.shape == result.shape:
            return _with_keys(result, kept)
    if result.shape[result.ndim - reduced.ndim :] != reduced.shape:
        return result
    return _with_keys(result, np.broadcast_to(reduced, result.shape))


def _with_cumulative_keys(result: Any, keys: np.ndarray | None, axis: Any) -> Any:
    return result if keys is None or _reduced_keys(keys, axis) is None else _with_keys(result, keys)


def _reduced_keys(keys: np.ndarray, axis: Any) -> np.ndarray | None:
    """Keys after a sum or the like over `axis`: there are some where each result is of one task."""
    if isinstance(axis, tuple):
        for each in sorted((each % keys.ndim for each in axis), reverse=True):
            reduced = _reduced_keys(keys, each)
            if reduced is None:
                return None
            keys = reduced
        return keys
    if not isinstance(axis, int | np.integer) or keys.ndim < 2:
        return None
    first = np.take(keys, 0, axis)
    return first if bool((keys == np.expand_dims(first, axis)).all()) else None
