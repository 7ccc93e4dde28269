"""Other processes and other devices."""

from __future__ import annotations

import json
from typing import Any

from janus_core.checkpoints.own import digest
from janus_core.conformance.check import KINDS, WITH_TRANSFORM, Fault, NotRun, check
from janus_core.conformance.child import HEAVY
from janus_core.conformance.subject import Subject
from janus_core.conformance.tree import copied, distance, equal, moved


@check("cuda", "must", KINDS, "on a GPU it gives what it gives on the CPU",
       prevents="tensors that are made on the CPU in forward")  # fmt: skip
def cuda(subject: Subject) -> str:
    if not subject.device.startswith("cuda"):
        raise NotRun("needs --device cuda")
    subject.need("forward")
    on_cpu = subject.run(subject.fresh().cpu(), moved(copied(subject.batch()), device="cpu"))
    found = subject.outputs
    gap = distance([list(i.values()) for i in on_cpu.items], [[t.cpu() for t in i.values()] for i in found.items])
    if gap > 1e-2:
        raise Fault(
            f"on {subject.device} values differ by {gap:.2g} of the largest", "make tensors on the input's device"
        )
    return f"difference {gap:.2g}"


@check("lazy_import", "must", KINDS, "the module that the entry point names imports no heavy library",
       prevents="a slow command line, and a listing that one broken library takes down", processes=True)  # fmt: skip
def lazy_import(subject: Subject) -> str:
    found = subject.children.listed() if subject.children else None
    if found is None:
        raise NotRun("needs another process")
    code, out, errors = found
    if code != 0:
        last = errors.strip().splitlines()[-1:] or ["no message"]
        raise Fault(f"importing {subject.module_name} alone fails: {last[0]}", "import only janus_core.hookspecs there")
    seconds, names = json.loads(out.strip().splitlines()[-1])
    heavy = [name for name in HEAVY if name in names]
    if heavy:
        raise Fault(
            f"importing {subject.module_name} imports {', '.join(heavy)}",
            "name code by strings ('package.module:build') and import libraries in that module only",
        )
    return f"{seconds * 1000:.0f} ms"


def _built(subject: Subject) -> dict[str, Any]:
    found = subject.children.built() if subject.children else None
    if found is None:
        raise NotRun("needs another process")
    answer, errors = found
    if answer is None:
        last = [line for line in errors.strip().splitlines() if line][-1:] or ["no message"]
        raise Fault(f"in a new process it fails: {last[0]}", "depend on nothing that only this process has")
    return dict(answer)


@check("cache_key", "must", KINDS, "weights and digest of the transform are the same in another process",
       prevents="a cache that is never hit again, and runs that differ", processes=True)  # fmt: skip
def cache_key(subject: Subject) -> None:
    subject.need("forward")
    answer = _built(subject)
    if subject.kind in WITH_TRANSFORM and answer["transform"] != subject.transform.digest:
        raise Fault(
            f"the transform's digest is {subject.transform.digest!r} here, in another process {answer['transform']!r}",
            "hash values with hashlib; hash() and id() differ from process to process",
        )
    if answer["weights"] != digest(subject.build(0)):
        raise Fault(
            "under the same seed the weights are others in another process",
            "draw them from torch's generator; do not depend on hash(), the time or the order of a set",
        )


@check("spawn", "must", KINDS, "built anew in another process, it gives the same",
       prevents="loader workers and ranks that compute something else", processes=True)  # fmt: skip
def spawn(subject: Subject) -> None:
    subject.need("forward")
    answer = _built(subject)
    if subject.kind in WITH_TRANSFORM:
        here = [item.inputs for item in subject.prepared(subject.raws())]
        if not equal(here, answer["prepared"]):
            raise Fault("another process prepares other tensors", "make the transform a function of raw and options")
    gap = distance([list(i.values()) for i in subject.outputs.items],
                   [[t.to(subject.device) for t in i.values()] for i in answer["outputs"]])  # fmt: skip
    if gap > (1e-4 if subject.device == "cpu" else 1e-2):
        raise Fault(f"in another process it gives other values ({gap:.2g})", "depend on nothing but weights and inputs")
