"""Recordings for the tests of pictures, sheets and animations."""

from metarl.agents.random import RandomAgent
from metarl.core.budget import Episodes
from metarl.evaluation.recording import record
from tests.evaluation.watched_agents import DrawnMaze, Script


def of_random(distribution, num_tasks=2, budget=Episodes(2, 0)):
    return record(RandomAgent(distribution, budget), distribution, "test", num_tasks, 0, budget)


def of_script(rows, horizon=20, budget=Episodes(2, 0)):
    return record(Script(rows), DrawnMaze(3, horizon=horizon), "test", len(rows), 0, budget)
