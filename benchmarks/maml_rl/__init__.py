"""Initialisations for reinforcement learning (Finn et al.

2017, arXiv 1703.03400): MAML, FOMAML and Reptile beside what they are held against.
"""
