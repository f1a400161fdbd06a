"""Randomised physics.

Policies with memory, without, and told the physics, and what can be read out of the memory.
"""
