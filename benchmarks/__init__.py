"""Studies of papers, a folder each with all that belongs to it: its trainings, scripts, figures and
the numbers that it printed; and `speed`.

Modules are imported from a checkout, as `benchmarks.rl2.runs`; `make install` (an editable install)
puts the checkout on Python's path.
"""
