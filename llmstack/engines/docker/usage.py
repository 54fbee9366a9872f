"""PURE: CPU and memory from one answer of the stats endpoint, by the Docker CLI's own formulas.

CPU: share of the machine's time between two samples x its cores, 100 % is one core. Memory: usage less the file pages
that the kernel can drop at once (`inactive_file`). Source: docker/cli, cli/command/container/stats_helpers.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmstack.domain.usage import Usage

Json = Mapping[str, Any]


def usage_of(answer: Json) -> Usage | None:
    """None for a container that does not run: its answer has no memory figures."""
    memory = answer.get("memory_stats") or {}
    if not memory.get("usage"):
        return None
    return Usage(
        cpu_percent=_cpu_percent(answer.get("cpu_stats") or {}, answer.get("precpu_stats") or {}),
        memory_bytes=_working_set(memory),
        memory_limit_bytes=memory.get("limit"),
    )


def _cpu_percent(now: Json, before: Json) -> float | None:
    """None without an earlier sample (Podman has none)."""
    system_ns = (now.get("system_cpu_usage") or 0) - (before.get("system_cpu_usage") or 0)
    if not before.get("system_cpu_usage") or system_ns <= 0:
        return None
    used_ns = _total(now) - _total(before)
    cores = now.get("online_cpus") or len((now.get("cpu_usage") or {}).get("percpu_usage") or ()) or 1
    return float(used_ns / system_ns * cores * 100)


def _total(stats: Json) -> int:
    return int((stats.get("cpu_usage") or {}).get("total_usage") or 0)


def _working_set(memory: Json) -> int:
    stats = memory.get("stats") or {}
    idle = stats.get("total_inactive_file", stats.get("inactive_file")) or 0
    return int(memory["usage"] - idle) if idle < memory["usage"] else int(memory["usage"])
