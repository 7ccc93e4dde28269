"""Right options, but importing them seeds Python's generator."""

import random

from janus_mutants.options import Options as Options

random.seed(0)
