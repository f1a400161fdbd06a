"""Mazes and grids."""
