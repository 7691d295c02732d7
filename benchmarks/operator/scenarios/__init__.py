"""Scenarios of the benchmark, one in each file."""
