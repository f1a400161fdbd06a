"""Quantifying generalization (Cobbe et al.

2018, arXiv 1812.02341): CoinRun by the number of training levels.
"""
