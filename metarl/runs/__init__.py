"""One run.

Its settings, the training loop, checkpoints, what is written down, and how runs lie on disk.
"""
