"""Classic control and walks in a plane."""
