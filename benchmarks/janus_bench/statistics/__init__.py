"""Intervals, comparisons and power over scored items: pure functions, numpy and the standard library."""
