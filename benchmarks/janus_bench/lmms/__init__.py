"""A bridge to lmms-eval: its tasks run our models. ``chat`` needs lmms-eval, ``requests`` does not."""
