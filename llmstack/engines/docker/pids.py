"""Processes of this machine, and the containers they run in."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def belongs(pid: int, container_id: str) -> bool:
    """Whether this machine's process `pid` runs in that container; not so when a VM lies between."""
    try:
        return container_id in (PROC / str(pid) / "cgroup").read_text()
    except OSError:
        return False
