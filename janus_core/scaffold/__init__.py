"""Writes new plugins: a distribution of its own that passes the conformance kit at once. Imports no torch."""
