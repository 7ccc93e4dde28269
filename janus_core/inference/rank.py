"""How likely a model finds given answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import cast

import torch
import torch.nn.functional as F

from janus_core.interfaces import LanguageModel, device_of
from janus_core.model.build import BuiltModel
from janus_core.sequence.assemble import Assembled
from janus_core.sequence.pack import pack


@torch.inference_mode()
def answer_losses(built: BuiltModel, samples: Sequence[Assembled]) -> list[float]:
    """Mean cross-entropy in nats of each sample's supervised tokens: its answer and the token that ends it."""
    model = cast(LanguageModel, built.model.language_model)
    transforms = {route: item.transform for route, item in built.assembler.routes.items()}
    batch = pack(samples, transforms, None).to(device_of(built.model))
    embeds, _ = built.model.embed(batch)
    hidden = built.model.language_model(embeds[None], batch.layout)[0]
    each = F.cross_entropy(model.text_logits(hidden[batch.text_index]).float(), batch.text_labels, reduction="none")
    ends = list(accumulate(len(sample.text_targets) for sample in samples))
    return [float(each[start:end].double().mean()) for start, end in pairwise([0, *ends])]
