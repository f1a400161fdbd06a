"""Figures that benchmarks published, for whoever shows results without drawing them again."""

from pathlib import Path

__all__ = ["published_picture"]


def published_picture(results: str | Path, benchmark: str, name: str) -> bytes | None:
    """The PNG file NAME that a benchmark wrote, such as ("results", "mlsh", "four-rooms"); None where there is none."""
    file = Path(results) / benchmark / f"{name}.png"
    return file.read_bytes() if file.is_file() else None
