"""Learners whose policy's memory does the learning."""
