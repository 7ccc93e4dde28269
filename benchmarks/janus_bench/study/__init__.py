"""Studies: a recipe, the axes that vary, what must be equal; planned, run cell by cell, reported from files."""
