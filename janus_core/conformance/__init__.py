"""The conformance kit: checks that tell a plugin's author whether a component is right, in one line or one command.

In a test file ``test_conformance = conformance("janus-my-encoder")``, or ``janus plugins check NAME``. Importing this
imports no torch.
"""

from __future__ import annotations

from janus_core.conformance.check import SUITE as SUITE
from janus_core.conformance.pytest_items import conformance as conformance
