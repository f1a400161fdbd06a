"""Where a suite's jobs run.

An executor is three functions: submit, poll, stop.
"""
