"""Encoders, recurrent and attention cores, action heads, policies."""
