"""Agents that plan in tabular MDPs."""
