"""``janus info``: what a model is."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from janus_core.checkpoints.own import Checkpoint
    from janus_core.model.build import BuiltModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path, metavar="DIR", help="folder of a run or of a checkpoint")
    parser.epilog = "example: janus info models/pro-1b"


def run(arguments: argparse.Namespace) -> int:
    from janus_core.checkpoints.own import build_empty, read_checkpoint
    from janus_core.checkpoints.tensor_files import TensorFiles

    found = read_checkpoint(arguments.checkpoint)
    tensors = TensorFiles(found.weights).meta
    built = build_empty(found.recipe, found.folder)  # no tensor is read
    types = Counter(str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values())
    stated = ", ".join(f"{count} {name}" for name, count in types.items())
    print(f"{found.recipe.name}: {found.recipe.description or 'a model trained here'}")
    print(f"{len(tensors)} tensors ({stated}), {sum(t.nbytes for t in tensors.values()) / 2**30:.2f} GiB\n")
    _table(["part", "component", "parameters", "frozen", "licence of the code"], list(_parts(found, built)))
    print("\nfrozen: what no stage may train, or what the last stage left as it was\n")
    _table(["token", "text", "id"], list(_tokens(built)))
    text, chat = built.text, found.recipe.text.chat
    rows = found.recipe.model.vocabulary or len(text)
    print(f"\ntext: {len(text)} ids, {rows} rows of embedding; roles {chat.user!r} and {chat.assistant!r}")
    print(f"system text of questions: {chat.system or '(none)'}")
    if (layout := built.model.code_layout) is not None:
        side = found.recipe.model.image_size
        print(
            f"drawings: {side} x {side} pixels, {layout.positions} codes of {' and '.join(map(str, layout.codebooks))}"
        )
    print(f"licence of the weights: {licence(found)}")
    return 0


def licence(found: Checkpoint) -> str:
    """What is known of the licence of the weights."""
    for path in sorted(found.source.glob("LICENSE*")) if found.source else []:
        first = next((line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()), "")
        return f"{first} (whole text: {path})"
    if found.facts.get("imported"):
        return "no file came with them; DeepSeek publishes Janus' weights under the DeepSeek Model License"
    return "trained here: yours, within the licences of the data and of the weights that it began from"


def _parts(found: Checkpoint, built: BuiltModel) -> Iterator[list[str]]:
    from janus_core.config.check import component_choices
    from janus_core.config.choose import choose
    from janus_core.config.parts import ALWAYS_FROZEN

    frozen = {*found.facts.get("frozen_sha256", {}), ALWAYS_FROZEN}
    specs: dict[str, Any] = {
        place.removeprefix("model."): choose(kind, choice, place).component
        for place, kind, choice in component_choices(found.recipe)
        if place.startswith("model.")
    }
    total = 0
    for name, part in built.model.parts().items():
        count = sum(parameter.numel() for parameter in part.parameters())
        total += count
        component = specs.get(name)
        spoken = component.qualified if component else "the model's own"
        terms = component.spec.licence if component else "Apache-2.0"
        yield [name, spoken, f"{count:,}", "yes" if name in frozen else "", terms]
    yield ["all", "", f"{total:,}", "", ""]


def _tokens(built: BuiltModel) -> Iterator[list[str]]:
    special = built.text.special
    modalities = sorted({"image", *(route.modality for route in built.assembler.routes.values())})
    for name in ("bos", "eos", "pad"):
        yield [name, getattr(special, name), str(built.text.id(getattr(special, name)))]
    for modality in modalities:
        for name in ("begin", "end", "placeholder"):
            token = getattr(special, name).format(modality=modality)
            yield [f"{name} of {modality}", token, str(built.text.id(token))]


def _table(header: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, ["-" * width for width in widths], *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
