"""MME; see ``spec``."""
