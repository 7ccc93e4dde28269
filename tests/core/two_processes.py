"""Run by torchrun in two processes: trains the tiny recipes of a file in turn and writes down what each process saw.

Arguments: a JSON file of cases {name, recipe, out, resume, signal: {rank, step}}, and a folder for what was seen.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

TESTS = Path(__file__).parents[1]


def helper(name: str) -> ModuleType:
    """A helper of the tests as a module."""
    spec = importlib.util.spec_from_file_location(f"janus_tests_{name}", TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def units(model: Any) -> dict[str, Any]:
    """Of each part: whether it is a unit of sharding, and whether it has gradients; and the units of mixed kind."""
    from torch.distributed.fsdp import FSDPModule

    mixed = []
    for name, module in model.named_modules():
        if isinstance(module, FSDPModule):
            group = module._get_fsdp_state()._fsdp_param_group
            kinds = {item.sharded_param.requires_grad for item in group.fsdp_params} if group else set()
            if len(kinds) > 1:
                mixed.append(name)
    return {
        "mixed": mixed,
        "parts": {
            name: {"unit": isinstance(part, FSDPModule), "gradient": any(p.grad is not None for p in part.parameters())}
            for name, part in model.parts().items()
        },
    }


def main(cases: Path, folder: Path) -> None:
    """Train each case."""
    import torch

    from janus_core.errors import UserError
    from janus_core.training.module import JanusTraining
    from janus_core.training.runner import Interrupted
    from janus_core.training.stopping import StopSoftly

    tiny, recorder = helper("tiny"), helper("recorder")
    rank = int(os.environ["RANK"])
    ask: dict[str, Any] = {}
    seen: dict[str, Any] = {}
    clip = JanusTraining._gradient_norms

    def look(self: Any) -> Any:
        if self._sharded:
            seen["units"] = units(self.model)
        return clip(self)

    def ask_to_stop(self: Any, trainer: Any, *_: Any) -> None:
        if ask and ask["rank"] == rank and trainer.global_step == ask["step"]:
            signal.raise_signal(signal.SIGTERM)

    JanusTraining._gradient_norms = look  # type: ignore[method-assign]
    StopSoftly.on_train_batch_end = ask_to_stop  # type: ignore[method-assign]
    for case in json.loads(cases.read_text(encoding="utf-8")):
        ask, seen, said = case.get("signal") or {}, {}, []
        with recorder.recorded() as record:
            try:
                session = tiny.train(
                    case["recipe"], Path(case["out"]), resume=case.get("resume", False), say=said.append
                )
                seen["weights"] = tiny.weights(session.built.model)
            except (Interrupted, UserError) as error:
                seen["error"] = str(error)
        seen |= {"ids": record.ids, "gradients": record.gradients, "said": said}
        torch.save(seen, folder / f"{case['name']}-{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
