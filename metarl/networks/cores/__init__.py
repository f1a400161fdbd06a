"""What remembers: recurrent cores and attention."""
