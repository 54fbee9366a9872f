"""Whose a process is, by what the kernel tells of it; works where the process runs, outside of containers."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from llmstack.domain.gpu import Owner

CONTAINER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
"""As in `/docker/<id>`, `docker-<id>.scope`, `libpod-<id>.scope` and the paths of Kubernetes."""


def owner_of(pid: int, proc: Path = Path("/proc")) -> Owner:
    """What is not told (the process ended, or there is no /proc) is None; of containers in one another the innermost
    counts, which not every line of a cgroup names."""
    within: list[str] = []
    program = None
    with suppress(OSError):
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
        within = max(map(CONTAINER.findall, lines), key=len, default=[])
        program = (proc / str(pid) / "comm").read_text().strip()
    return Owner(within[-1] if within else None, program or None)
