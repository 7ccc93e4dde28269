"""Makes the package of wrong components importable, here and in the processes that the kit starts."""

from __future__ import annotations

import sys
from pathlib import Path

MUTANTS = str(Path(__file__).with_name("mutants"))
if MUTANTS not in sys.path:
    sys.path.insert(0, MUTANTS)
