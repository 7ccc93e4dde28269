"""Right, but importing it sets a variable."""

import os

from janus_mutants.encoder import build_Good as build_Good

os.environ["CUDA_LAUNCH_BLOCKING"] = "1"
