"""Agents for bandits."""
