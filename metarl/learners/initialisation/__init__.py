"""Learners of an initialisation."""
