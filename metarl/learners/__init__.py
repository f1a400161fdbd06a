"""Learners, one algorithm a file."""
