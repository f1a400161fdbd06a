"""Meta-learning shared hierarchies (Frans et al.

2017, arXiv 1710.09767): moving bandits, four rooms, ants.
"""
