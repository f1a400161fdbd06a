"""MuJoCo models of tasks.

Gymnasium's own XML files, their masses, inertias, damping, friction and gears scaled, or walls put
up.
"""

import copy
import importlib
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

__all__ = [
    "FACTORS",
    "WALL_HEIGHT",
    "ModelStore",
    "Wall",
    "asset",
    "check_factors",
    "import_mujoco",
    "load_model",
    "scaled_model",
    "walled_models",
]

FACTORS = ("mass", "inertia", "damping", "friction", "gear")
TRIAL_STEPS = 50  # of MuJoCo, in `check_factors`
WALL_HEIGHT = 50.0  # m: at full strength an ant jumps 6 m high
BURIED = -2 * WALL_HEIGHT  # where walls stand that only fill up a model


class Wall(NamedTuple):
    """A wall that stands on the floor, along x and y: m."""

    x: float  # its middle
    y: float
    half_x: float  # half of its extent
    half_y: float


def import_mujoco(who: str = "This family") -> Any:
    """Return the module `mujoco`, with its `rollout`.

    Raises:
        ValueError: it isn't installed.
    """
    try:
        importlib.import_module("mujoco.rollout")
        return importlib.import_module("mujoco")
    except ImportError as error:
        raise ValueError(
            f"{who} needs MuJoCo, which isn't installed: `pip install -e '.[mujoco]'` in metarl's"
            " folder brings it; see `metarl info`."
        ) from error


def asset(xml: str) -> Path:
    """Return where Gymnasium keeps the model file `xml`; an absolute path stays as it is."""
    return Path(gym.__file__).parent / "envs" / "mujoco" / "assets" / xml


def load_model(
    xml: str, textures: bool = False, walls: Sequence[Wall] = (), buried: int = 0
) -> Any:
    """Return the model in the file `xml` of Gymnasium's, or at an absolute path.

    Args:
        xml: the file's name.
        textures: keep materials and textures, which only drawings need and which are 96 % of a
            model's memory.
        walls: to put up on the floor. buried: how many more to put where nothing meets them.

    Raises:
        ValueError: MuJoCo isn't there or refuses the file; the sentence holds what MuJoCo said.
    """
    mujoco = import_mujoco(f"The model {xml}")
    try:
        specification = mujoco.MjSpec.from_file(str(asset(xml)))
        if not textures:
            for geom in specification.geoms:
                geom.material = ""
            for item in [*specification.materials, *specification.textures]:
                item.delete()
        for wall, foot in [
            *((wall, 0.0) for wall in walls),
            *[(Wall(0.0, 0.0, 0.1, 0.1), BURIED)] * buried,
        ]:
            specification.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[wall.x, wall.y, foot + WALL_HEIGHT / 2],
                size=[wall.half_x, wall.half_y, WALL_HEIGHT / 2],
                contype=1,
                # As the floor's: it meets the robot, whose own parts don't meet each other
                conaffinity=1,
            )
        return specification.compile()
    except (ValueError, OSError) as error:
        raise ValueError(
            f"MuJoCo refuses the model {xml}: {' '.join(str(error).split())}"
        ) from error


def walled_models(xml: str, courses: Sequence[Sequence[Wall]]) -> list[Any]:
    """Return a model of the robot in `xml` for each of `courses`, a list of walls.

    All are alike in size, so that one simulator steps them.
    """
    most = max(map(len, courses))
    return [load_model(xml, walls=walls, buried=most - len(walls)) for walls in courses]


def scaled_model(base: Any, data: Any, factors: np.ndarray) -> Any:
    """Return a copy of the model `base` with its physics scaled, and what MuJoCo derives from them
    computed anew.

    Args:
        base: the unscaled model. data: an MjData of it, as a place to work in.
        factors: [5] of every body's mass and inertia, every joint's damping, every geom's friction,
            every actuator's gear.
    """
    model = copy.copy(base)
    mass, inertia, damping, friction, gear = (float(factor) for factor in factors)
    model.body_mass[:] *= mass
    model.body_inertia[:] *= inertia
    model.dof_damping[:] *= damping
    model.geom_friction[:] *= friction
    model.actuator_gear[:] *= gear
    import_mujoco().mj_setConst(model, data)
    return model


class ModelStore:
    """The scaled models in use, each built once.

    Asking again for the same factors gives the same model.
    """

    def __init__(self, xml: str):
        self.xml = xml
        self.base = load_model(xml)
        self._data = import_mujoco().MjData(self.base)
        self._models: dict[bytes, Any] = {}

    def __call__(self, factors: np.ndarray) -> list[Any]:
        """A model for each row of `factors` [n, 5]."""
        keys = [row.tobytes() for row in np.ascontiguousarray(factors, dtype=np.float64)]
        if len(self._models) > 2 * len(keys) + 256:  # tasks of the past
            self._models = {key: self._models[key] for key in keys if key in self._models}
        for key, row in zip(keys, factors, strict=True):
            if key not in self._models:
                self._models[key] = scaled_model(self.base, self._data, row)
        return [self._models[key] for key in keys]

    def __reduce__(self) -> tuple[Any, ...]:
        return ModelStore, (self.xml,)  # models are built again where they're needed


def check_factors(who: str, xml: str, low: float, high: float) -> None:
    """Let MuJoCo step the 32 models whose factors are all `low` or `high`, under full actions.

    Raises:
        ValueError: MuJoCo can't simulate one of them; the sentence holds what MuJoCo said.
    """
    mujoco = import_mujoco(who)
    base = load_model(xml)
    data = mujoco.MjData(base)
    moving = base.body_mass[1:] > 0
    for factors in itertools.product((low, high), repeat=len(FACTORS)):
        model = scaled_model(base, data, np.asarray(factors))
        named = ", ".join(
            f"{name} × {factor:g}" for name, factor in zip(FACTORS, factors, strict=True)
        )
        remedy = "choose low and high nearer to 1."
        if not (model.body_mass[1:][moving] > mujoco.mjMINVAL).all():
            raise ValueError(
                f"{who}: with {named} a moving body weighs less than MuJoCo takes"
                f" ({mujoco.mjMINVAL:g} kg); {remedy}"
            )
        mujoco.mj_resetData(model, data)
        with _warnings(mujoco) as said:
            for step in range(TRIAL_STEPS):
                data.ctrl[:] = 1 if step % 20 < 10 else -1
                mujoco.mj_step(model, data)
        if said:
            raise ValueError(
                f"{who}: MuJoCo can't simulate {named} ({' '.join(said[0].split())}); {remedy}"
            )


@contextmanager
def _warnings(mujoco: Any) -> Iterator[list[str]]:
    """What MuJoCo warns of meanwhile, instead of its log file."""
    said: list[str] = []
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(said.append)
    try:
        yield said
    finally:
        mujoco.set_mju_user_warning(before)
