"""The errors that broken plug-ins get.

In a file of its own so that worker processes needn't import PyTorch.
"""

__all__ = ["ActionError", "PlugInError"]


class PlugInError(ValueError):
    """A task distribution, environment, agent or learner broke its contract.

    The message names the task and the step.
    """


class ActionError(PlugInError):
    """An environment was given actions that it can't take.

    The message names the row, and whoever knows the agent names that.
    """
