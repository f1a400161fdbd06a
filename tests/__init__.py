"""Tests of metarl.

A package, so that no package of that name elsewhere takes its place in worker processes.
"""
