"""Meta-episodes around tasks, agents, and the way out to Gymnasium."""
