"""SEED-Bench; see ``spec``."""
