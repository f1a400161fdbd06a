"""What benchmarks published, read back by whoever shows results: tables, named arrays, pictures."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from metarl.core.paths import as_path

__all__ = ["published_arrays", "published_picture", "published_table"]


def published_table(results: str | Path, benchmark: str, name: str) -> pd.DataFrame:
    """Return the table NAME.csv that a benchmark wrote; empty where there is none.

    Args:
        results, benchmark, name: such as ("results", "rl2_mazes", "table3").
    """
    file = as_path(results) / benchmark / f"{name}.csv"
    return pd.read_csv(file) if file.is_file() else pd.DataFrame()


def published_arrays(results: str | Path, benchmark: str, name: str) -> dict[str, np.ndarray]:
    """Return the named arrays NAME.npz that a benchmark wrote; empty where there are none.

    Args:
        results, benchmark, name: such as ("results", "mlsh", "within-a-task").
    """
    file = as_path(results) / benchmark / f"{name}.npz"
    if not file.is_file():
        return {}
    with np.load(file) as arrays:
        return dict(arrays)


def published_picture(
    results: str | Path,
    benchmark: str,
    name: str,
    colours: int | None = None,
) -> bytes | None:
    """Return the PNG file NAME.png that a benchmark wrote; None where there is none.

    Args:
        results, benchmark, name: such as ("results", "mlsh", "two-walk-ways").
        colours: at most 256; it is drawn in as many, which takes a good half of the space.
    """
    file = as_path(results) / benchmark / f"{name}.png"
    if not file.is_file() or colours is None:
        return file.read_bytes() if file.is_file() else None
    small = io.BytesIO()
    with Image.open(file) as picture:
        picture.quantize(colours).save(small, "PNG", optimize=True)
    return small.getvalue()
