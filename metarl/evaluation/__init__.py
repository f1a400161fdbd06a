"""The protocol that scores every agent, and its statistics."""
