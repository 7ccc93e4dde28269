"""``python -m janus_core`` is ``janus``."""

from __future__ import annotations

import sys

from janus_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
