"""POPE; see ``spec``."""
