"""Options of the generation tokenizer ``patch_vq``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from janus_conv_vq.options import FORMAT, Codes, CodeWidth, TokenizerOptions


class PatchVQOptions(TokenizerOptions):
    """Defaults are the tokenizer of the quickstart."""

    patch: int = Field(default=8, ge=1, description="side in pixels of the patch that becomes one code")
    width: int = Field(default=128, ge=8, description="channels of the residual blocks")
    encoder_blocks: int = Field(default=2, ge=0, description="residual blocks of the encoder")
    decoder_blocks: int = Field(default=3, ge=0, description="residual blocks of the decoder")
    codes: Codes = 512
    code_width: CodeWidth = 16
    decay: float = Field(
        default=0.9, gt=0, lt=1, description="decay a step of the moving averages that the codes follow"
    )
    restart_below: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="a code used less than this part of an even share is put onto a latent; 0 is never",
    )
    format: Literal["auto", "patch_vq"] = Field(default="auto", description=FORMAT)
