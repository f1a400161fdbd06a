"""Exact and hand-designed agents, batched over tasks."""
