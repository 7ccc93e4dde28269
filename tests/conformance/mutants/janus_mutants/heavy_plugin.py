"""An entry module that imports torch."""

import torch

JANUS_HOOK_API = (1, 0)
__all__ = ["torch"]
