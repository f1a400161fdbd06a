"""Agents that follow a script or are told the goal."""
