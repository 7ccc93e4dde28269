"""Audio for janus-umm: a plugin in a distribution of its own."""
