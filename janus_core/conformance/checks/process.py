"""What a component must leave alone: settings, random generators, the network, the terminal."""

from __future__ import annotations

import torch

from janus_core.conformance.check import KINDS, Fault, NotRun, check
from janus_core.conformance.state import ENVIRONMENT, pristine
from janus_core.conformance.subject import Subject


@check(
    "network",
    "must",
    KINDS,
    "reaches for no network while it is imported, built or run with random weights",
    prevents="a run that hangs on a node without network, or that depends on what a server gives that day",
)
def network(subject: Subject) -> None:
    subject.observe()
    for phase in subject.phases.values():
        if phase.network:
            raise Fault(
                f"{phase.name} opens the network: {'; '.join(phase.network[:3])}",
                "read weights from options.weights (a path) and nothing else; download with a command of its own",
            )


@check(
    "global_state",
    "must",
    KINDS,
    "leaves default dtype, grad mode, threads, device, working directory and environment alone",
    prevents="another part of the model that is built or computed otherwise because this one is there",
)
def global_state(subject: Subject) -> None:
    subject.observe()
    for phase in subject.phases.values():
        # Libraries set variables of their own when they are imported (open_clip: TOKENIZERS_PARALLELISM).
        found = [text for text in phase.changes if phase.name != "import" or not text.startswith(ENVIRONMENT)]
        if found:
            raise Fault(
                f"{phase.name} changes what belongs to the whole process: {'; '.join(found[:4])}",
                "do not set it, or put it back (try/finally, or torch's context managers)",
            )


@check(
    "random_state",
    "must",
    KINDS,
    "draws from torch's generator only while it is built, and never seeds it",
    prevents="data order and noise of the rest of the run that change when this part is swapped in",
)
def random_state(subject: Subject) -> None:
    subject.need("build")
    ends = []
    for seed in (1, 2):
        with pristine():
            torch.manual_seed(seed)
            subject.made(0)
            ends.append(torch.get_rng_state())
    if torch.equal(*ends):
        raise Fault(
            "after building under seed 1 and under seed 2 torch's global generator is in the same state: "
            "the constructor seeds it (torch.manual_seed)",
            "remove the seeding: the caller has seeded the generator; draw initial weights from it",
        )
    for phase in subject.phases.values():
        drawn = [name for name in phase.drawn if phase.name != "build" or name != "torch"]
        if drawn:
            raise Fault(
                f"{phase.name} changes the global random generator of {' and '.join(drawn)}",
                "draw from a generator of its own (torch.Generator, numpy.random.default_rng, random.Random), "
                "or from none",
            )


@check("silent", "should", KINDS, "prints and warns nothing", prevents="logs in which real warnings drown")
def silent(subject: Subject) -> None:
    subject.observe()
    if not subject.phases:
        raise NotRun("nothing was observed")
    for phase in subject.phases.values():
        if phase.printed.strip():
            raise Fault(f"{phase.name} prints {phase.printed.strip()[:200]!r}", "use logging")
        own = [
            text for text in phase.warned if not text.startswith(("DeprecationWarning", "FutureWarning", "PendingD"))
        ]
        if own:
            raise Fault(f"{phase.name} warns {own[0][:200]!r}", "mend the cause, or raise ValueError")
