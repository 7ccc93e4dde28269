"""Checkpoints: our own format, and the foreign layouts that components declare."""
