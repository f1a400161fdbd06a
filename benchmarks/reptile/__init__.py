"""Reptile beside MAML (Nichol et al.

2018, arXiv 1803.02999; Finn et al. 2017, arXiv 1703.03400): sine waves and few-shot classification.
"""
