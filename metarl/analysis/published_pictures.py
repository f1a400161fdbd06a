"""Figures that benchmarks published, for whoever shows results without drawing them again."""

import io
from pathlib import Path

from PIL import Image

from metarl.core.paths import as_path

__all__ = ["published_picture"]


def published_picture(results: str | Path, benchmark: str, name: str, colours: int | None = None) -> bytes | None:
    """The PNG file NAME that a benchmark wrote, such as ("results", "mlsh", "two-walk-ways"); None where there is none.

    With `colours`, at most 256, it is drawn in as many, which takes a good half of the space.
    """
    file = as_path(results) / benchmark / f"{name}.png"
    if not file.is_file() or colours is None:
        return file.read_bytes() if file.is_file() else None
    small = io.BytesIO()
    with Image.open(file) as picture:
        picture.quantize(colours).save(small, "PNG", optimize=True)
    return small.getvalue()
