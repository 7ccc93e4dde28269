"""JanusModel: routes, language model, generation parts; built objects are handed in."""
