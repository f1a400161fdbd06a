"""Tabular MDPs."""
