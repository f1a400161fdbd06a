"""Meta-World (Yu et al. 2019, arXiv 1910.10897): ML1 with and without memory."""
