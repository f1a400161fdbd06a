"""Gotta Learn Fast (Nichol et al.

2018, arXiv 1804.03720): learning on test levels, with and without joint training.
"""
