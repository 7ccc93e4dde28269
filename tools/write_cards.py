"""Writes the cards of the components that this repository ships: ``python tools/write_cards.py [NAME ...]``.

Into the checkout's ``registry/janus_registry/cards``, never into an installed package.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CARDS = ROOT / "registry" / "janus_registry" / "cards"


def main(names: list[str]) -> int:
    """Check every component and write its card; 1 if one fails."""
    from janus_core.conformance.card import card, markdown
    from janus_core.conformance.find import find
    from janus_core.conformance.run import run_checks
    from janus_core.conformance.subject import Subject

    CARDS.mkdir(parents=True, exist_ok=True)
    worst = 0
    for name in names or ["janus-umm"]:
        for item in find(name):
            report = run_checks(Subject(item.component, item.module, "tiny"))
            path = CARDS / f"{item.component.kind}-{item.component.qualified.replace('/', '-')}.json"
            path.write_text(json.dumps(card(report), indent=2) + "\n", encoding="utf-8")
            print(f"{item.component.qualified}: {report.summary()}", flush=True)
            worst = max(worst, int(not report.ok))
    cards = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(CARDS.glob("*.json"))]
    (CARDS / "README.md").write_text("# Cards of the components that are shipped\n\n" + markdown(cards), "utf-8")
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
