"""The items that two or more runs share, matched by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from janus_core.errors import UserError
from janus_core.scores import ScoredItem


@dataclass(frozen=True, slots=True)
class Matched:
    """Items of several runs in the same order.

    Attributes:
        items: one list a run; the n-th of each has the same id and cluster.
        alone: per run, the ids that some other run lacks; they are in no list.
    """

    items: tuple[list[ScoredItem], ...]
    alone: tuple[list[str], ...]


def match(runs: Sequence[Sequence[ScoredItem]]) -> Matched:
    """Match by id, in the order of the first run.

    Raises:
        UserError: an id stands twice in a run, or belongs to different clusters.
    """
    found = []
    for number, items in enumerate(runs, 1):
        by_id = {item.id: item for item in items}
        if len(by_id) < len(items):
            raise UserError(f"items of run {number} share an id", "score it again; ids must be unique")
        found.append(by_id)
    shared = [id_ for id_ in found[0] if all(id_ in other for other in found)]
    for id_ in shared:
        if len({by_id[id_].cluster for by_id in found}) > 1:
            clusters = ", ".join(repr(by_id[id_].cluster) for by_id in found)
            raise UserError(f"item {id_} is of different clusters: {clusters}", "score the runs with the same version")
    keep = set(shared)
    alone = tuple([id_ for id_ in by_id if id_ not in keep] for by_id in found)
    return Matched(tuple([by_id[id_] for id_ in shared] for by_id in found), alone)
