"""MMBench; see ``spec``."""
