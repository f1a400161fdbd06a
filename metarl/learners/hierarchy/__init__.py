"""Hierarchies of sub-policies."""
