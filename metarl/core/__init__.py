"""The contracts that everything else keeps, and nothing else."""
