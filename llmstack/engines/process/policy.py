"""When a server that ended is started again, and what killed it; standard library only (the shim loads it)."""

from __future__ import annotations

FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 10.0
GOOD_RUN_S = 10.0
"""A run of this length forgets the failures before it."""

Kills = tuple[int | None, int | None]
"""Out-of-memory kills so far: on this machine, and in our own control group; None where it cannot be told."""


def restarts_after(policy: str, exit_code: int, failures: int) -> bool:
    """Whether `policy` starts a server again that ended by itself; `failures` counts short runs in a row, this one
    included. `always` and `unless-stopped` differ only where an engine comes back after a boot; this one does not."""
    name, _, limit = policy.partition(":")
    if name == "on-failure":
        return exit_code != 0 and (not limit or failures <= int(limit))
    return name in ("always", "unless-stopped")


def delay_s(failures: int) -> float:
    """Pause before the next try."""
    return min(FIRST_DELAY_S * 2.0 ** min(failures - 1, 10), LONGEST_DELAY_S)


def oom_kills(machine: str = "/proc/vmstat", groups: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> Kills:
    """The kernel's two counters (Linux, the second one with cgroup v2 only)."""
    group = next((line[3:].strip() for line in _lines(own) if line.startswith("0::")), None)
    return _counter(machine), None if group is None else _counter(f"{groups}{group}/memory.events")


def out_of_memory(before: Kills, after: Kills, *, killed: bool) -> bool | None:
    """Whether the kernel ended a server for lack of memory; `killed`: it died of a SIGKILL that was not ours.

    False when nothing at all was killed, True when our own group lost a process, None when it cannot be told.
    """
    if not killed:
        return False
    if before[0] is not None and before[0] == after[0]:
        return False
    if before[1] is None or after[1] is None:
        return None
    return after[1] > before[1]


def _counter(path: str) -> int | None:
    return next((int(line.split()[1]) for line in _lines(path) if line.startswith("oom_kill ")), None)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.readlines()
    except OSError:
        return []
