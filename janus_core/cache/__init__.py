"""Features and codes of frozen parts, computed once and kept under a key made of all that decides them."""
