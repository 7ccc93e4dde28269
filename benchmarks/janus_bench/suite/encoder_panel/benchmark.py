"""The benchmark ``encoder_panel``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from janus_bench.opening import open_rgb
from janus_bench.suite.encoder_panel.options import EncoderPanelOptions
from janus_bench.suite.encoder_panel.probes import linear, nearest
from janus_bench.suite.encoder_panel.spec import SPEC
from janus_bench.suite.folders import picture_files
from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import BenchmarkWork, BuildContext, Features, device_of
from janus_core.scores import ScoreCard, ScoredItem, share
from janus_core.sequence.pack import move
from janus_registry.errors import did_you_mean

BATCH = 16
PROBES = {"k-NN": "nearest", "linear probe": "linear"}


class EncoderPanel:
    """Reads features once and probes them."""

    def __init__(self, options: EncoderPanelOptions) -> None:
        self.options = options

    def run(self, work: BenchmarkWork) -> ScoreCard:
        """Probe the features of the pictures of ``work.data``; a stopped run begins anew."""
        options, session = self.options, cast(Session, work.session)
        route = _route(session, options.route)
        if work.data is None:
            raise UserError("this benchmark needs pictures", f"give --data DIR: {SPEC.data}")
        train, test = (_split(work.data, name) for name in ("train", "test"))
        test = test[: work.limit]
        classes = sorted({name for _, name in train})
        if unknown := sorted({name for _, name in test} - set(classes)):
            raise UserError(f"test holds classes that train lacks: {', '.join(unknown)}", "add them to train/")
        labels = torch.tensor([classes.index(name) for _, name in train])
        rows, others = (self._features(session, route, part, work) for part in (train, test))
        guesses = {
            "nearest": nearest(
                rows,
                labels,
                others,
                classes=len(classes),
                neighbours=options.neighbours,
                temperature=options.temperature,
            ),
            "linear": linear(rows, labels, others, classes=len(classes), l2=options.l2),
        }
        card = ScoreCard(SPEC.name, f"{SPEC.name}@{work.protocol}", SPEC.protocols[0].version, [])
        for place, (path, name) in enumerate(test):
            said = {key: classes[int(guess[place])] for key, guess in guesses.items()}
            right = {key: int(value == name) for key, value in said.items()}
            identity = path.relative_to(work.data).as_posix()
            card.items.append(ScoredItem(identity, identity, float(right["nearest"]), said["nearest"], facts=right))
        counted = Counter(name for _, name in test)
        usual = Counter(name for _, name in train).most_common(1)[0][0]
        without = {"majority": counted[usual] / len(test), "chance": 1 / len(classes)}
        for score, key in PROBES.items():
            correct = sum(item.facts[key] for item in card.items)
            card.scores.append(share(score, correct, len(test), without, task="understanding"))
        card.details = {"route": route, "width": rows.shape[1], "train": len(train), "classes": len(classes)}
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """Right of all, for each probe."""
        return {
            name: sum(item.facts[key] for item in items) / len(items) if items else math.nan
            for name, key in PROBES.items()
        }

    @torch.inference_mode()
    def _features(self, session: Session, route: str, files: Sequence[tuple[Path, str]], work: BenchmarkWork) -> Tensor:
        """float [N, D]: the mean of each picture's tokens, those of padding left out."""
        transform, model = session.built.assembler.routes[route].transform, session.built.model
        model.eval()
        rows = []
        for start in work.progress(range(0, len(files), BATCH), "reading features"):
            images = [open_rgb(path) for path, _ in files[start : start + BATCH]]
            inputs: Any = transform.collate([transform(image) for image in images])
            features: Features = model.encoders[route](move(inputs, device_of(model)))
            if self.options.features == "adapter":
                features = model.adapters[route](features)
            tokens = features.tokens.float()
            mask = (
                torch.ones(tokens.shape[:2], device=tokens.device) if features.mask is None else features.mask.float()
            )
            rows.append(((tokens * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)).cpu())
        return torch.cat(rows)


def _route(session: Session, wanted: str | None) -> str:
    if wanted is None:
        return session.image_route()
    routes = list(session.built.assembler.routes)
    if wanted not in routes:
        have = ", ".join(routes) or "none"
        raise UserError(f"this model has no route {wanted!r}{did_you_mean(wanted, routes)}", f"its routes: {have}")
    return wanted


def _split(data: Path, name: str) -> list[tuple[Path, str]]:
    """(file, class) of a split, in the order of the paths."""
    folder = data / name
    if not folder.is_dir():
        raise UserError(f"{data} has no folder {name}/", f"--data wants {SPEC.data}")
    found = [(path, path.relative_to(folder).parts[0]) for path in picture_files(folder)]
    if loose := [path for path, owner in found if owner == path.name]:
        raise UserError(f"{loose[0]} lies in no class", f"--data wants {SPEC.data}")
    return found


def build(options: EncoderPanelOptions, context: BuildContext) -> EncoderPanel:
    """The benchmark."""
    return EncoderPanel(options)
