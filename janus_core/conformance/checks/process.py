"""What a component must leave alone: settings, random generators, the network, the terminal."""

from __future__ import annotations

import torch

from janus_core.conformance.check import KINDS, Fault, NotRun, check
from janus_core.conformance.state import pristine
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
        if phase.deeds.network:
            raise Fault(
                f"{phase.name} opens the network: {'; '.join(phase.deeds.network[:3])}",
                "read weights from options.weights (a path) and nothing else; download with a command of its own",
            )


@check(
    "global_state",
    "must",
    KINDS,
    "leaves the settings of torch, numpy, PIL and Python, their functions, the working directory and the environment "
    "alone",
    prevents="another part of the model that is built or computed otherwise because this one is there",
)
def global_state(subject: Subject) -> None:
    subject.observe()
    for phase in subject.phases.values():
        found = phase.changes + phase.library_changes
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
    mend = "remove the seeding: the caller has seeded the generator; draw initial weights from it"
    for phase in subject.phases.values():
        if phase.seed is not None:
            raise Fault(f"{phase.name} seeds torch's global generator (torch.manual_seed({phase.seed}))", mend)
    ends = []
    for seed in (1, 2):
        with pristine():
            torch.manual_seed(seed)
            subject.made(0)
            ends.append(torch.get_rng_state())
    if torch.equal(*ends):
        raise Fault(
            "after building under seed 1 and under seed 2 torch's global generator is in the same state: "
            "the constructor seeds it (torch.manual_seed or torch.set_rng_state)",
            mend,
        )
    for phase in subject.phases.values():
        # Initial weights and dropout are drawn from torch's generator, which the caller seeds.
        drawn = [name for name in phase.drawn if phase.name not in ("build", "training") or name != "torch"]
        if drawn:
            raise Fault(
                f"{phase.name} changes the global random generator of {' and '.join(drawn)}",
                "draw from a generator of its own (torch.Generator, numpy.random.default_rng, random.Random), "
                "or from none; and seed none but that",
            )


@check(
    "side_effects",
    "must",
    KINDS,
    "starts no program, leaves no thread running and writes no file",
    prevents="a run that downloads or installs behind one's back, or that litters the folders of all its workers",
)
def side_effects(subject: Subject) -> None:
    subject.observe()
    for phase in subject.phases.values():
        done, mend = phase.deeds, "do it in a command of its own, not in the component"
        if done.programs:
            raise Fault(f"{phase.name} starts the program {done.programs[0]!r}", mend)
        if done.threads:
            raise Fault(f"{phase.name} leaves the thread {done.threads[0]} running", "compute in the calling thread")
        if done.files:
            raise Fault(f"{phase.name} writes {', '.join(done.files[:3])}", f"keep results in memory; {mend}")


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
