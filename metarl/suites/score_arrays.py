"""What many agents got on the same tasks, task by task, in one compressed file of NumPy arrays."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from metarl.evaluation.episodes import episode_lengths, episode_successes
from metarl.evaluation.protocol import Evaluation
from metarl.evaluation.scores import same_tasks
from metarl.runs.exclusive import exclusively
from metarl.runs.store import MAX_PUBLISHED_BYTES, write_file

__all__ = ["write_arrays", "write_episodes", "write_scores"]


def write_scores(file: Path, key: str, scores: np.ndarray, fingerprint: str, seed: int) -> None:
    """Put an agent's scores beside other agents' of the same tasks; those of other tasks are
    dropped.

    Args:
        file: a .npz, made where it is missing; left as it is where it would grow larger than a
            published file may be.
        key: names the agent.
        scores: [tasks], or [seeds, tasks] of a learner; kept in 8 or 16 bits where they are counts.
            Where they know that tasks repeat, the array "same_task" has, for each task, the first
            one that is the same.
        fingerprint, seed: of the test tasks.
    """
    with exclusively(file):
        arrays: dict[str, np.ndarray] = {}
        if file.exists():
            with np.load(file) as old:
                if str(old["fingerprint"]) == fingerprint:
                    arrays = dict(old)
        arrays[key] = small(np.asarray(scores))
        keys = getattr(scores, "task_keys", None)
        same = None if keys is None else same_tasks(keys.reshape(-1, keys.shape[-1])[0])
        if same is not None:
            arrays["same_task"] = small(same)
        arrays |= {
            "fingerprint": np.array(fingerprint),
            "split": np.array("test"),
            "seed": np.array(seed),
        }
        write_arrays(file, arrays)


def write_episodes(file: Path, played: Mapping[str, Sequence[Evaluation]]) -> None:
    """Write every episode of many agents in the same tasks: for each label L, the arrays
    "L/return", "L/length" and "L/success".

    Args:
        file: a .npz; left as it is where it would grow larger than a published file may be.
        played: label -> the evaluations of the agent's seeds, on an `Episodes` budget; arrays are
            [seeds, tasks, episodes]. Where tasks repeat, the array "same_task" has, for each task,
            the first one that is the same.

    Raises:
        ValueError: evaluations of different tasks side by side, or none.
    """
    everyone = [evaluation for evaluations in played.values() for evaluation in evaluations]
    if len({(each.split, each.seed, each.num_tasks) for each in everyone}) != 1:
        raise ValueError(
            "Episodes are kept together of agents that played the same tasks, and of one at least."
        )
    arrays: dict[str, np.ndarray] = {
        "split": np.array(everyone[0].split),
        "seed": np.array(everyone[0].seed),
    }
    same = same_tasks(everyone[0].task_keys)
    if same is not None:
        arrays["same_task"] = small(same)
    for label, evaluations in played.items():
        arrays[f"{label}/return"] = np.stack(
            [np.asarray(each.matrix()) for each in evaluations]
        ).astype(np.float32)
        arrays[f"{label}/length"] = small(
            np.stack([np.asarray(episode_lengths(each)) for each in evaluations])
        )
        arrays[f"{label}/success"] = np.stack(
            [np.asarray(episode_successes(each)) for each in evaluations]
        )
        arrays[f"{label}/fingerprint"] = np.array([each.fingerprint for each in evaluations])
    write_arrays(file, arrays)


def small(values: np.ndarray) -> np.ndarray:
    """Return `values` in 8 or 16 bits where they are counts, else as float32."""
    counts = (values == np.round(values)).all() and values.min() >= 0 and values.max() < 2**16
    return values.astype((np.uint8 if values.max() < 2**8 else np.uint16) if counts else np.float32)


def write_arrays(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a compressed .npz of named arrays.

    Left as it is where it would grow larger than a published file may be.
    """
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    if stream.tell() <= MAX_PUBLISHED_BYTES:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file, stream.getvalue())
