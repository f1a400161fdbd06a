"""Rainbow (Hessel et al.

2017, arXiv 1710.02298): that it learns, with and without each of its parts.
"""
