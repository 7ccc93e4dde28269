"""What is done to the blocks of the language model while a stage trains: recomputation, compilation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch.utils.checkpoint import checkpoint

from janus_core.config.recipe import RunConfig
from janus_core.interfaces import LanguageModel
from janus_core.model.janus import JanusModel


@contextmanager
def prepared_blocks(model: JanusModel, run: RunConfig) -> Iterator[None]:
    """Within, the blocks recompute their activations in the backward pass and are compiled, as the run asks.

    Names of parameters stay as they are, so that points and checkpoints do not depend on it.
    """
    blocks = list(cast(LanguageModel, model.language_model).blocks())
    forwards = [block.forward for block in blocks]
    for block, forward in zip(blocks, forwards, strict=True):
        if run.gradient_checkpointing:
            block.forward = partial(_recomputed, forward)
        if run.compile:
            block.compile()
    try:
        yield
    finally:
        for block in blocks:
            if run.gradient_checkpointing:
                del block.forward
            block._compiled_call_impl = None


def _recomputed(forward: Any, *arguments: Any, **named: Any) -> Any:
    if not torch.is_grad_enabled():  # sampling: nothing to recompute, and a cache that must not be filled twice
        return forward(*arguments, **named)
    return checkpoint(forward, *arguments, use_reentrant=False, **named)
