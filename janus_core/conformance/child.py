"""The two other processes that the kit starts beside its own: one that lists, and one that builds anew.

Run as ``python -m janus_core.conformance.child FOLDER``: reads ``asked.pickle`` there and writes ``answer.pickle``.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from janus_core.conformance.subject import Subject

SECONDS = 600
"""Long, for machines that are busy: a starved process is no fault of the component."""
HEAVY = ("torch", "numpy", "transformers", "timm", "open_clip", "tensorflow", "jax", "torchvision", "diffusers")
"""What a listing must not import."""

LISTING = """
import importlib, json, sys, time
before = set(sys.modules)
begun = time.process_time()
importlib.import_module(sys.argv[1])
print(json.dumps([time.process_time() - begun, sorted({n.partition(".")[0] for n in sys.modules} - before)]))
"""


class Children:
    """Both processes, started at once so that they run beside the checks, and asked at the end."""

    def __init__(self, subject: Subject, *, listing: bool, building: bool) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONHASHSEED": "7"}
        self.folder = Path(tempfile.mkdtemp(prefix="janus-conformance-"))
        self._listing = self._building = None
        if listing:
            command = [sys.executable, "-c", LISTING, subject.module_name]
            self._listing = self._start(command, environment)
        if building:
            asked = self.folder / "asked.pickle"
            with asked.open("wb") as file:
                pickle.dump((subject.component, subject.module_name, subject.preset), file)
            command = [sys.executable, "-m", "janus_core.conformance.child", str(self.folder)]
            self._building = self._start(command, environment)

    def _start(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, env=environment, cwd=os.getcwd(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def listed(self) -> tuple[int, str, str] | None:
        """Exit code, output and errors of the process that imports what a listing imports."""
        return self._ended(self._listing)

    def built(self) -> tuple[Any, str] | None:
        """What the process that builds anew found (None if it failed), and its errors."""
        ended = self._ended(self._building)
        if ended is None:
            return None
        answer = self.folder / "answer.pickle"
        if ended[0] != 0 or not answer.is_file():
            return None, ended[2]
        with answer.open("rb") as file:
            return pickle.load(file), ended[2]

    def _ended(self, process: subprocess.Popen[str] | None) -> tuple[int, str, str] | None:
        if process is None:
            return None
        try:
            out, errors = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return -1, "", f"no end after {SECONDS} s"
        return process.returncode, out, errors

    def close(self) -> None:
        """End what still runs and remove the folder."""
        import shutil

        for process in (self._listing, self._building):
            if process is not None and process.poll() is None:
                process.kill()
                process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


def facts(subject: Subject) -> dict[str, Any]:
    """What must be the same in every process: weights, digest of the transform, outputs."""
    import torch

    from janus_core.checkpoints.own import digest
    from janus_core.conformance.check import WITH_TRANSFORM

    torch.set_num_threads(1)
    module = subject.build(0).eval()
    found: dict[str, Any] = {"weights": digest(module)}
    if subject.kind in WITH_TRANSFORM:
        found["transform"] = subject.transform.digest
        found["prepared"] = [item.inputs for item in subject.prepared(subject.raws())]
    found["outputs"] = list(subject.run(subject.fresh()).items)
    return found


def main(folder: Path) -> None:
    """Build what is asked for and write the answer."""
    from janus_core.conformance.subject import Subject

    with (folder / "asked.pickle").open("rb") as file:
        component, module_name, preset = pickle.load(file)
    found = facts(Subject(component, module_name, preset))
    part = folder / "answer.part"
    part.write_bytes(pickle.dumps(found))
    part.replace(folder / "answer.pickle")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
