"""What `benchmarks.speed` times, each started as a process of its own, some by another
environment's interpreter.
"""
