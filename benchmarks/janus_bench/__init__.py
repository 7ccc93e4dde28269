"""Benchmarks: statistics, running, reports, and the demo; a plugin like any other."""
