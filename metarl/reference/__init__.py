"""The figures of the papers as data, each with its source and how far it can be trusted."""
