"""Who holds a lock: a process of one machine, told so that another process of that machine can see that it died."""

from __future__ import annotations

import os
from pathlib import Path

SAME_START_S = 5.0
"""Two looks at one process may tell its start a little differently, since the clock is set now and then."""


def me() -> str:
    """Ourselves: where our pid means something, the pid, and when it started."""
    import psutil

    return f"{_place()} {os.getpid()} {psutil.Process().create_time():.1f}"


def is_dead(holder: str) -> bool:
    """Whether `holder` was a process of this machine that is no more; False for all that cannot be told."""
    import psutil

    place, pid, started = [*holder.split(" "), "", "", ""][:3]
    if place != _place() or not pid.isdigit():
        return False
    try:
        return has_ended(int(pid)) or abs(psutil.Process(int(pid)).create_time() - float(started)) > SAME_START_S
    except (psutil.Error, ValueError):
        return False


def has_ended(pid: int) -> bool:
    """Whether there is no such process, or only what nobody waited for: a container's first process may never wait."""
    import psutil

    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _place() -> str:
    """The boot of this machine and its table of processes; containers have one of their own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return os.uname().nodename
