"""Runs and suites: train, checkpoint, resume, publish."""
