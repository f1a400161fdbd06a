"""Makes every registered distribution known to Gymnasium as `metarl/<id>`.

Imports no PyTorch, since `import metarl` calls it.
"""

import gymnasium as gym

from metarl.core.registry import distribution_ids

__all__ = ["NAMESPACE", "register_all", "register_with_gymnasium"]

NAMESPACE = "metarl"


def register_all() -> None:
    """Register all distributions, those of other packages included, that Gymnasium doesn't know
    yet.
    """
    for id in distribution_ids():
        try:
            register_with_gymnasium(id)
        except gym.error.Error as error:
            gym.logger.warn(f"The distribution {id!r} can't be registered with Gymnasium: {error}")


def register_with_gymnasium(id: str) -> None:
    """Register the distribution `id`, unless Gymnasium knows it already."""
    name = f"{NAMESPACE}/{id}"
    if name in gym.registry:
        return
    gym.register(
        name,
        entry_point="metarl.interop.gymnasium_env:make_single",
        vector_entry_point="metarl.interop.gymnasium_env:make_vector",
        kwargs={"distribution": id},
    )
