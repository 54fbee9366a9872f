"""PURE: CPU and memory from one answer of the stats endpoint, in the Docker CLI's terms.

CPU: time used between two samples / time that passed, 100 % is one core. Memory: usage less the file pages that the
kernel can drop at once (`inactive_file`). Source: docker/cli, cli/command/container/stats_helpers.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmstack.domain.usage import Usage
from llmstack.engines.docker.rows import seconds

Json = Mapping[str, Any]


def usage_of(answer: Json) -> Usage | None:
    """None for a container that does not run: its answer has no memory figures."""
    memory = answer.get("memory_stats") or {}
    if not memory.get("usage"):
        return None
    return Usage(
        cpu_percent=_cpu_percent(answer),
        memory_bytes=_working_set(memory),
        memory_limit_bytes=memory.get("limit"),
    )


def _cpu_percent(answer: Json) -> float | None:
    """None without an earlier sample."""
    now_s, before_s = seconds(answer.get("read")), seconds(answer.get("preread"))
    if now_s is None or before_s is None or now_s <= before_s:
        return None
    return (_used_s(answer.get("cpu_stats")) - _used_s(answer.get("precpu_stats"))) / (now_s - before_s) * 100


def _used_s(stats: Json | None) -> float:
    return float(((stats or {}).get("cpu_usage") or {}).get("total_usage") or 0) / 1e9


def _working_set(memory: Json) -> int:
    stats = memory.get("stats") or {}
    idle = stats.get("total_inactive_file", stats.get("inactive_file")) or 0
    return int(memory["usage"] - idle) if idle < memory["usage"] else int(memory["usage"])
