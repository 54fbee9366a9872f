"""A reader of stdout that went away."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def hang_up() -> None:
    """Send what is left for stdout nowhere, so that nothing else fails on it, the interpreter's own last flush
    included."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
