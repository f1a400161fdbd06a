"""Agents for mazes."""
