"""Inputs that cannot be right are refused in words."""

from __future__ import annotations

import torch

from janus_core.conformance.check import KINDS, Fault, check
from janus_core.conformance.subject import Subject

SHORTEST = 12
"""Letters that a message needs at least to say anything."""


@check(
    "bad_input",
    "must",
    KINDS,
    "inputs that cannot be right raise a ValueError that says what is wrong",
    prevents="a wrong picture that is broadcast silently, or an error from deep inside torch",
)
def bad_input(subject: Subject) -> str:
    subject.need("forward")
    cases = subject.drive.bad(subject.fresh(), subject)
    for case in cases:
        try:
            with torch.no_grad():
                case.call()
        except (ValueError, TypeError) as error:
            if len(str(error)) < SHORTEST:
                raise Fault(
                    f"{case.what} raises {type(error).__name__}({str(error)!r}), which does not say what is wrong",
                    "say what was given and what is allowed",
                ) from None
        except Exception as error:  # noqa: BLE001
            raise Fault(
                f"{case.what} raises {type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
                "check the shape first and raise ValueError with the shape given and the shape expected",
            ) from None
        else:
            raise Fault(f"{case.what} is accepted", "check it and raise ValueError")
    return f"{len(cases)} cases"
