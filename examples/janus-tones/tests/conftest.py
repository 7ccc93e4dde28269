"""Lets the tests run from a checkout in which janus-tones is not installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("janus_tones") is None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
