"""Names that settings and parts of checkpoints had in earlier versions.

Used where a stored run is read, and nowhere else.
"""

from typing import Any

__all__ = ["of_today", "state_of_today"]

# Class of settings -> the field's old name -> its name today
FIELDS = {
    "ActorCriticConfig": {"units": "hidden_size"},
    "MLSHConfig": {
        "every": "option_length",
        "masters_only": "master_only_features",
        "warm_up": "warmup_updates",
    },
    "NetworkConfig": {"units": "hidden_size"},
    "PPOConfig": {"entropy": "entropy_coef", "value": "value_coef"},
    "StackedPPO": {"entropy": "entropy_coef"},
}
# Class of settings -> field -> its old value -> its value today
VALUES = {"NetworkConfig": {"core": {"arms": "per_pair_memory", "places": "spatial_memory"}}}

# Part of a learner's state -> its name today
STATES = {"crew": "ranks"}


def state_of_today(state: dict[str, Any]) -> dict[str, Any]:
    """Return a learner's stored state by the names of today."""
    return {STATES.get(name, name): value for name, value in state.items()}


def of_today(kind: Any, stored: dict[str, Any]) -> dict[str, Any]:
    """Return stored settings of class `kind` by the names of today."""
    fields = FIELDS.get(kind.__name__, {})
    values = VALUES.get(kind.__name__, {})
    renamed = {fields.get(name, name): value for name, value in stored.items()}
    for name, new_values in values.items():
        value = renamed.get(name)
        if isinstance(value, str):
            renamed[name] = new_values.get(value, value)
    return renamed
