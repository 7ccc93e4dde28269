"""The tensors that Hugging Face's layout has no place for, in a file beside its weights, under DeepSeek's names.

``attn_pool`` (13 tensors) and ``codebook_used`` (1) lie in DeepSeek's files and are never computed with.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor

FILE = "janus_carried.safetensors"


def side_file(folder: Path) -> Path | None:
    """The file beside a model's weights, or None."""
    path = (folder if folder.is_dir() else folder.parent) / FILE
    return path if path.is_file() else None


def initial(key: str, like: Tensor) -> Tensor:
    """A beginning for a tensor that no file holds: keyed by its name, so that it is the same every time.

    Norms scale by 1, vectors and the ring of used codes are 0, matrices are normal(0, 0.02) as timm draws them.
    """
    if key.endswith("norm.weight"):
        return torch.ones(like.shape, dtype=like.dtype)
    if like.ndim < 2:
        return torch.zeros(like.shape, dtype=like.dtype)
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
    drawn = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed)) * 0.02
    return drawn.to(like.dtype)
