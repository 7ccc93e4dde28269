"""A page of what a model answered and drew: one HTML file, no network, light and dark."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from janus_bench.table import text_table
from janus_core.interfaces import BenchmarkResult

SHOWN = 16
STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
pre { overflow-x: auto; padding: .8rem; border-radius: 6px;
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent) }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 1rem }
figure { margin: 0 } figure img { width: 100%; image-rendering: pixelated; border-radius: 6px }
figcaption { font-size: 13px }
.right { color: light-dark(#176b2c, #7ddc92) } .wrong { color: light-dark(#a11, #ff8d8d) }
footer { margin-top: 2rem; font-size: 13px; opacity: .8 }
"""


def write_page(path: Path, result: BenchmarkResult, title: str, random: Sequence[str] = ()) -> None:
    """Write the table, the first pictures that were asked about and the first that were drawn."""
    body = [f"<h1>{html.escape(title)}</h1>", f"<pre>{html.escape(text_table(result.scores, random))}</pre>"]
    understanding = [item for item in result.items if item["task"] == "understanding"]
    if understanding:
        scenes = list(dict.fromkeys(item["scene"] for item in understanding))[:SHOWN]
        body.append("<h2>Questions about pictures never seen in training</h2><div class=grid>")
        body += [_asked(result, [i for i in understanding if i["scene"] == scene]) for scene in scenes]
        body.append("</div>")
    drawn = [item for item in result.items if item["task"] == "generation"][:SHOWN]
    if drawn:
        body.append("<h2>Drawings of scenes never seen in training</h2><div class=grid>")
        body += [_drawing(result, item) for item in drawn]
        body.append("</div>")
    body.append(f"<footer>Protocol {html.escape(result.protocol)}. {html.escape(result.attribution)}</footer>")
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{STYLE}</style>"
    path.write_text(f"{head}<body>{''.join(body)}</body></html>", encoding="utf-8")


def _asked(result: BenchmarkResult, items: list[dict[str, Any]]) -> str:
    lines = []
    for item in items:
        kind = "right" if item["right"] else "wrong"
        truth = "" if item["right"] else f" <small>({html.escape(item['truth'])})</small>"
        lines.append(f"{html.escape(item['question'])} <b class={kind}>{html.escape(item['answer']) or '—'}</b>{truth}")
    image = _embedded(result.pictures[f"scene-{items[0]['scene']}.png"])
    return f"<figure>{image}<figcaption>{'<br>'.join(lines)}</figcaption></figure>"


def _drawing(result: BenchmarkResult, item: dict[str, Any]) -> str:
    kind = "right" if item["objects_right"] == item["objects"] else "wrong"
    count = f"<b class={kind}>{item['objects_right']} of {item['objects']} objects recognised</b>"
    image = _embedded(result.pictures[item["picture"]])
    return f"<figure>{image}<figcaption>{html.escape(item['prompt'])}<br>{count}</figcaption></figure>"


def _embedded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
