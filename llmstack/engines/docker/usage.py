"""PURE: what a container uses, from raw answers of the stats endpoint, by the Docker CLI's own formulas.

Source: docker/cli, cli/command/container/stats_helpers.go (`calculateCPUPercentUnix`, `calculateMemUsageUnixNoCache`,
`calculateNetwork`, `calculateBlockIO`). Where the CLI shows 0 for what nobody counted, here it is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmstack.domain.usage import Usage
from llmstack.engines.docker.rows import seconds

Json = Mapping[str, Any]


def usage_of(answer: Json, earlier: Json | None = None, *, by_clock: bool = False) -> Usage | None:
    """What `answer` tells, with the one before it (its own, where it has one) for the CPU; None for a container that
    does not run: its answer has no time. A kernel that counts no memory (some Raspberry Pi's) is no reason."""
    memory = answer.get("memory_stats") or {}
    if seconds(answer.get("read")) is None:
        return None
    before = {"read": answer.get("preread"), "cpu_stats": answer.get("precpu_stats")} if earlier is None else earlier
    received, sent = _network(answer)
    read, written = _disk(answer)
    return Usage(
        cpu_percent=_cpu_percent(answer, before, by_clock=by_clock),
        memory_bytes=_working_set(memory),
        memory_limit_bytes=memory.get("limit") or None,
        network_received_bytes=received,
        network_sent_bytes=sent,
        disk_read_bytes=read,
        disk_written_bytes=written,
        processes=(answer.get("pids_stats") or {}).get("current"),
    )


def _cpu_percent(now: Json, before: Json, *, by_clock: bool) -> float | None:
    """The container's time / the machine's time * its CPUs; 100 is one core. None without an earlier sample.

    Podman counts in `system_cpu_usage` the time since the container's start, and an engine on Windows nothing: there it
    is the container's time / the time that passed, and so `by_clock`, over a moment that is short for the steps of it.
    """
    used, machine = now.get("cpu_stats") or {}, before.get("cpu_stats") or {}
    spent = _used(used) - _used(machine)
    system = (used.get("system_cpu_usage") or 0) - (machine.get("system_cpu_usage") or 0)
    now_s, before_s = seconds(now.get("read")), seconds(before.get("read"))
    if now_s is None or before_s is None or now_s <= before_s or spent < 0:
        return None
    cpus = used.get("online_cpus") or len((used.get("cpu_usage") or {}).get("percpu_usage") or ())
    if by_clock or system <= 0 or not cpus:
        return spent / 1e9 / (now_s - before_s) * 100
    return float(spent / system * cpus * 100)


def _used(stats: Json) -> int:
    return int((stats.get("cpu_usage") or {}).get("total_usage") or 0)


def _working_set(memory: Json) -> int | None:
    """Usage less the file pages that the kernel can drop at once."""
    stats, usage = memory.get("stats") or {}, int(memory.get("usage") or 0)
    idle = (stats.get(name) for name in ("total_inactive_file", "inactive_file"))  # cgroup v1, v2
    return next((usage - size for size in idle if size is not None and size < usage), usage) or None


def _network(answer: Json) -> tuple[int | None, int | None]:
    """Received and sent, over all interfaces."""
    cards = (answer.get("networks") or {}).values()
    return _sum(card.get("rx_bytes") for card in cards), _sum(card.get("tx_bytes") for card in cards)


def _disk(answer: Json) -> tuple[int | None, int | None]:
    """Read and written, over all devices."""
    rows = (answer.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    by_letter = [(str(row.get("op"))[:1].lower(), row.get("value")) for row in rows]
    read, written = (_sum(value for letter, value in by_letter if letter == wanted) for wanted in "rw")
    return read, written


def _sum(values: Iterable[Any]) -> int | None:
    known = [int(value) for value in values if value is not None]
    return sum(known) if known else None
