"""Imports a library that nothing requires."""

import vector_quantize_pytorch as vector_quantize_pytorch

from janus_mutants.encoder import build_Good as build_Good
