"""Recipes: pydantic models of what a run is, YAML in, errors with the remedy out."""
