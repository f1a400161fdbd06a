"""One run: its settings, the training loop, checkpoints, what is written down, and how runs lie on disk."""
