"""The cards that are shipped say what the components are now; what depends on the machine is not compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from janus_core.conformance.check import SUITE
from janus_core.conformance.find import find
from janus_core.conformance.measured import parameters
from janus_core.conformance.subject import Subject

CARDS = Path(__file__).resolve().parents[2] / "registry" / "janus_registry" / "cards"
SHIPPED = find("janus-umm")

pytestmark = pytest.mark.skipif(not CARDS.is_dir(), reason="no cards are written yet: run tools/write_cards.py")


def name_of(item: Any) -> str:
    return f"{item.component.kind}-{item.component.qualified.replace('/', '-')}.json"


def test_there_is_a_card_for_each_component_and_no_other() -> None:
    assert {path.name for path in CARDS.glob("*.json")} == {name_of(item) for item in SHIPPED}


@pytest.mark.parametrize("item", SHIPPED, ids=name_of)
def test_a_card_is_current(item: Any) -> None:
    from janus_core.conformance.card import measured

    card = json.loads((CARDS / name_of(item)).read_text(encoding="utf-8"))
    mend = "run tools/write_cards.py"
    assert card["suite"] == ".".join(map(str, SUITE)), mend
    assert card["ok"], mend
    assert card["checks"] == sum(card["counts"].values())
    subject = Subject(item.component, item.module, "tiny")
    now = json.loads(json.dumps(measured(subject)))
    assert {key: card["facts"][key] for key in now} == now, mend
    assert now["parameters"] == parameters(subject)
