"""Task distributions: the contract, one family a file, the registry, the adapter from Gymnasium."""
