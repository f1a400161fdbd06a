"""Policy gradients: trajectories, advantages, PPO, TRPO."""
