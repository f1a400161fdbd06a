"""RL² (Duan et al.

2016, arXiv 1611.02779): Tables 1 and 2, mazes, and what the memory is used for.
"""
