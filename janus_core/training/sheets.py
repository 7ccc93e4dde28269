"""What a model draws and answers, as files to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from janus_core.checkpoints.atomic import atomic_file
from janus_core.inference.session import Drawing, Session, printable
from janus_core.interfaces import Message, Sample, Sampling

TILE = 160
"""Side in pixels of a picture on a sheet; smaller ones are enlarged without smoothing, to show what the model drew."""


def picture_sheet(drawings: Sequence[Drawing], columns: int = 4) -> Image.Image:
    """Pictures in a grid, each over its prompt."""
    rows = -(-len(drawings) // columns)
    height = TILE + 44
    sheet = Image.new("RGB", (columns * (TILE + 8) + 8, rows * height + 8), "white")
    pen = ImageDraw.Draw(sheet)
    for index, drawing in enumerate(drawings):
        x, y = 8 + index % columns * (TILE + 8), 8 + index // columns * height
        sheet.paste(drawing.image.resize((TILE, TILE), Image.Resampling.NEAREST), (x, y))
        pen.multiline_text((x, y + TILE + 2), _wrap(drawing.prompt, 26, 3), fill="black", spacing=1)
    return sheet


def write_drawings(path: Path, session: Session, prompts: Sequence[str], sampling: Sampling, seed: int) -> None:
    """Draw the prompts and write the sheet as PNG."""
    sheet = picture_sheet(session.draw(prompts, sampling=sampling, seed=seed))
    with atomic_file(path) as partial:
        sheet.save(partial, format="PNG")


def write_answers(path: Path, session: Session, samples: Sequence[Sample]) -> None:
    """Answer the last question of each sample and write question, answer and truth as Markdown."""
    asked = [(sample, _question(sample)) for sample in samples]
    answers = session.answer([messages for _, (messages, _) in asked], max_new_tokens=48)
    lines = ["| sample | question | answer | truth |", "|---|---|---|---|"]
    for (sample, (messages, truth)), answer in zip(asked, answers, strict=True):
        question = " ".join(part for part in messages[-1].parts if isinstance(part, str)).strip()
        lines.append(f"| {sample.id} | {_cell(question)} | {_cell(answer)} | {_cell(truth)} |")
    with atomic_file(path) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _question(sample: Sample) -> tuple[list[Message], str]:
    """The messages up to the last question, and the answer that follows it in the data."""
    *before, last = sample.messages
    return before, " ".join(part for part in last.parts if isinstance(part, str))


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("\n", " ")


def _wrap(text: str, width: int, most: int) -> str:
    lines: list[str] = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines[:most])
