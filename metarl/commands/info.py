"""What `metarl info` says.

Versions, devices, and which optional parts are here or how to get them.
"""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from metarl import __version__
from metarl.core.paths import pasteable

__all__ = ["OPTIONAL_PARTS", "Part", "report"]

PACKAGES = (
    "torch",
    "gymnasium",
    "numpy",
    "scipy",
    "pandas",
    "safetensors",
    "tyro",
    "matplotlib",
    "tensorboard",
)
CHECKOUT = Path(__file__).resolve().parents[2]


class Part(NamedTuple):
    """What metarl can do with a further package.

    Attributes:
        module: what is imported. package: what it is installed as.
        purpose: what it is for.
        target: of `make`, or the extra in brackets, or the package itself.
    """

    module: str
    package: str
    purpose: str
    target: str


OPTIONAL_PARTS = (
    Part("retro", "stable-retro", "Airstriker-v0, Sonic-v0", "[retro]"),
    Part("ale_py", "ale-py", "AtariFlavours-v0", "[atari]"),
    Part("mujoco", "mujoco", "robots with randomised physics and goals", "[mujoco]"),
    Part("metaworld", "metaworld", "MetaWorld families", "[metaworld]"),
    Part("procgen", "procgen-mirror", "CoinRun-v0", "make procgen"),
    Part(
        "learn2learn", "learn2learn", "learners learn2learn and learn2learn-rl", "make learn2learn"
    ),
    Part("minigrid", "minigrid", "its environments: docs/other_families.md", "[families]"),
    Part("popgym", "popgym", "its environments: docs/other_families.md", "[families]"),
    Part("highway_env", "highway-env", "its environments: docs/other_families.md", "[families]"),
    Part("ray", "ray", "runs on several machines", "[ray]"),
    Part(
        "stable_baselines3",
        "stable-baselines3",
        "its models beside metarl's agents",
        "stable-baselines3",
    ),
    Part("imageio_ffmpeg", "imageio-ffmpeg", "metarl watch --format mp4", "[video]"),
    Part("pyarrow", "pyarrow", "metarl export --format parquet", "[parquet]"),
)


def report() -> list[str]:
    """Return the lines that `metarl info` prints."""
    lines = [
        f"{'python':18} {platform.python_version()}  {sys.executable}",
        f"{'metarl':18} {__version__}  {CHECKOUT / 'metarl'}",
    ]
    lines += [f"{name:18} {_version(name) or 'missing'}" for name in PACKAGES]
    lines += [f"{'device':18} {device}" for device in _devices()]
    lines += ["", "Optional parts:"]
    for part in OPTIONAL_PARTS:
        found = _version(part.package) or "here"
        state = (
            found if find_spec(part.module) is not None else f"missing; get it: {_command(part)}"
        )
        lines.append(f"{part.package:18} {state}  ({part.purpose})")
    return lines


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _devices() -> list[str]:
    import torch  # slow, and needed by nothing else here

    threads = torch.get_num_threads()
    cores = len(os.sched_getaffinity(0))
    devices = [f"cpu: {cores} cores, {threads} threads of PyTorch's"]
    devices += [
        f"cuda:{i}: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())
    ]
    return (
        devices
        if len(devices) > 1
        else [
            *devices,
            "no cuda" if torch.version.cuda else "no cuda: this PyTorch is built without it",
        ]
    )


def _command(part: Part) -> str:
    """Return what a shell runs to get a part into this Python.

    Extras come from the checkout, since metarl isn't on PyPI.
    """
    python = f"{pasteable(sys.executable)} -m pip install"
    if (CHECKOUT / "constraints.txt").exists():
        python = f"{python} -c {pasteable(CHECKOUT / 'constraints.txt')}"
    if part.target.startswith("make "):
        return f"make -C {pasteable(CHECKOUT)} {part.target.removeprefix('make ')}"
    if part.target.startswith("["):
        return f"{python} -e {pasteable(f'{CHECKOUT}{part.target}')}"
    return f"{python} {part.target}"
