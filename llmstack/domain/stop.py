"""Whether this process was told to stop."""

from __future__ import annotations

import threading

STOP = threading.Event()
"""Set by Ctrl-C and SIGTERM: what their handler raises is dropped by Python where that is in the midst of an import."""
