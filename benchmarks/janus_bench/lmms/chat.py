"""The model class that lmms-eval makes: ``lmms-eval --model janus --model_args pretrained=DIR --tasks …``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import torch
from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest

from janus_bench.lmms.requests import cut, generation, turns
from janus_core.cli.model_arguments import open_session

MANIFEST = ModelManifest(model_id="janus", chat_class_path="janus_bench.lmms.chat.JanusChat")
"""What the entry point ``lmms_eval.models`` gives."""


class JanusChat(lmms):  # type: ignore[misc]
    """A checkpoint or run of ours as a chat model of lmms-eval (0.7.3).

    Args:
        pretrained: folder of a run or checkpoint, or ``quickstart``.
        device: ``auto``, ``cpu``, ``cuda`` ...
        batch_size: conversations answered together.
        dtype: ``float32``, ``bfloat16``, ``float16``; None: as stored.
        seed: where a task samples.
    """

    is_simple = False

    def __init__(
        self,
        pretrained: str = "quickstart",
        device: str = "auto",
        batch_size: int | str = 16,
        dtype: str | None = None,
        seed: int = 0,
        **other: Any,
    ) -> None:
        super().__init__()
        unknown = sorted(name for name, value in other.items() if value is not None and name != "max_batch_size")
        if unknown:
            raise ValueError(f"--model_args has no {', '.join(unknown)}; it has pretrained, dtype and seed")
        self.session = open_session(argparse.Namespace(model=pretrained, device=device, dtype=dtype))
        self.batch_size, self.seed = int(batch_size), int(seed)

    @property
    def device(self) -> torch.device:
        """Where the model is, for lmms-eval's own gathering."""
        return next(self.session.built.model.parameters()).device

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """One answer a request, in their order; those of one system text and setting are answered together."""
        route = self.session.image_route() if self.session.built.assembler.routes else None
        groups: dict[str, list[int]] = {}
        asked = []
        for place, request in enumerate(requests):
            _, to_messages, settings, number, task, split = request.args
            asked.append((*turns(to_messages(self.task_dict[task][split][number]), route), settings))
            groups.setdefault(repr((asked[-1][0], settings)), []).append(place)
        answers = [""] * len(asked)
        for places in groups.values():
            system, _, settings = asked[places[0]]
            how = generation(settings)
            found = self.session.answer(
                [asked[place][1] for place in places],
                max_new_tokens=how.max_new_tokens,
                sampling=how.sampling,
                seed=self.seed,
                batch_size=self.batch_size,
                system=system,
            )
            for place, answer in zip(places, found, strict=True):
                answers[place] = cut(answer, how.until)
        return answers

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Not offered: chat tasks of lmms-eval only generate."""
        raise NotImplementedError("not bridged: tasks that rank by likelihood; see 'janus bench run seed@likelihood'")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Not offered."""
        raise NotImplementedError("tasks of several rounds are not bridged")
