"""How components of each kind are fed and run, so that most checks need not know the kind."""

from __future__ import annotations

from janus_core.conformance.check import ADAPTER, ENCODER, HEAD, LANGUAGE_MODEL, TOKENIZER
from janus_core.conformance.kinds.drive import Drive, Out
from janus_registry.records import Component

__all__ = ["Drive", "Out", "drive_of"]


def drive_of(component: Component) -> Drive:
    """The drive of a component's kind."""
    from janus_core.conformance.kinds.adapter import AdapterDrive
    from janus_core.conformance.kinds.encoder import EncoderDrive
    from janus_core.conformance.kinds.head import HeadDrive
    from janus_core.conformance.kinds.language_model import LanguageModelDrive
    from janus_core.conformance.kinds.tokenizer import TokenizerDrive

    drives: dict[str, type[Drive]] = {
        ENCODER: EncoderDrive,
        TOKENIZER: TokenizerDrive,
        ADAPTER: AdapterDrive,
        HEAD: HeadDrive,
        LANGUAGE_MODEL: LanguageModelDrive,
    }
    return drives[component.kind](component)
