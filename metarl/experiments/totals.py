"""Per-task totals of many agents on the same tasks, in one compressed file of NumPy arrays."""

import io
from pathlib import Path

import numpy as np

from metarl.results import MAX_PUBLISHED_BYTES, write_file

__all__ = ["write_totals"]


def write_totals(file: Path, key: str, scores: np.ndarray, fingerprint: str, seed: int) -> None:
    """Put an agent's totals beside other agents' of the same tasks; those of other tasks are dropped.

    Args:
        file: a .npz, made where it is missing; left as it is where it would grow larger than a published file may be.
        key: names the agent.
        scores: [tasks], or [seeds, tasks] of a learner; kept in 8 or 16 bits where they are counts.
        fingerprint, seed: of the test tasks.
    """
    arrays: dict[str, np.ndarray] = {}
    if file.exists():
        with np.load(file) as old:
            if str(old["fingerprint"]) == fingerprint:
                arrays = dict(old)
    counts = (scores == np.round(scores)).all() and scores.min() >= 0 and scores.max() < 2**16
    arrays[key] = scores.astype((np.uint8 if scores.max() < 2**8 else np.uint16) if counts else np.float32)
    arrays |= {"fingerprint": np.array(fingerprint), "split": np.array("test"), "seed": np.array(seed)}
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    if stream.tell() <= MAX_PUBLISHED_BYTES:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file, stream.getvalue())
