"""The error that a broken plug-in gets; in a file of its own so that worker processes needn't import PyTorch."""

__all__ = ["PlugInError"]


class PlugInError(ValueError):
    """A task distribution, environment, agent or learner broke its contract; the message names the task and the step."""
