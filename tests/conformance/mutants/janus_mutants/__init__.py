"""Reference components of each kind, and the same with one fault each: a plugin as a stranger would write it."""
