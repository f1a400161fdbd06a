"""Bridges to other libraries, each of which stays optional."""
