"""A page of what a model answered and drew: one HTML file, no network, light and dark."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import Any

from PIL import Image

from janus_core.scores import ScoreCard

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


def write_page(path: Path, card: ScoreCard, table: str, title: str) -> None:
    """Write the table, the first pictures that were asked about and the first that were drawn.

    Args:
        table: the scores as text.
    """
    body = [f"<h1>{html.escape(title)}</h1>", f"<pre>{html.escape(table)}</pre>"]
    understanding = [record for record in card.records if record.get("task") == "understanding"]
    if understanding:
        scenes = list(dict.fromkeys(record["scene"] for record in understanding))[:SHOWN]
        body.append("<h2>Questions about pictures never seen in training</h2><div class=grid>")
        body += [_asked(card, [i for i in understanding if i["scene"] == scene]) for scene in scenes]
        body.append("</div>")
    drawn = [record for record in card.records if record.get("task") == "generation"][:SHOWN]
    if drawn:
        body.append("<h2>Drawings of scenes never seen in training</h2><div class=grid>")
        body += [_drawing(card, record) for record in drawn]
        body.append("</div>")
    about = f"Protocol {card.protocol}, version {card.version}. {card.attribution}"
    body.append(f"<footer>{html.escape(about)}</footer>")
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{STYLE}</style>"
    path.write_text(f"{head}<body>{''.join(body)}</body></html>", encoding="utf-8")


def _asked(card: ScoreCard, items: list[dict[str, Any]]) -> str:
    lines = []
    for item in items:
        kind = "right" if item["right"] else "wrong"
        truth = "" if item["right"] else f" <small>({html.escape(item['truth'])})</small>"
        lines.append(f"{html.escape(item['question'])} <b class={kind}>{html.escape(item['answer']) or '—'}</b>{truth}")
    image = _embedded(card.pictures[f"scene-{items[0]['scene']}.png"])
    return f"<figure>{image}<figcaption>{'<br>'.join(lines)}</figcaption></figure>"


def _drawing(card: ScoreCard, item: dict[str, Any]) -> str:
    kind = "right" if item["objects_right"] == item["objects"] else "wrong"
    count = f"<b class={kind}>{item['objects_right']} of {item['objects']} objects recognised</b>"
    image = _embedded(card.pictures[item["picture"]])
    return f"<figure>{image}<figcaption>{html.escape(item['prompt'])}<br>{count}</figcaption></figure>"


def _embedded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
