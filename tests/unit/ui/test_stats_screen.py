"""The table of what runs."""

from __future__ import annotations

from llmstack.domain.usage import StatsReport, StatsRow, Usage
from llmstack.ui.stats import stats_lines
from tests.unit.ui.conftest import plain


def row(service: str, **usage: float) -> StatsRow:
    return StatsRow(service=service, host="gpu01", engine="docker", container_name=service, usage=Usage(**usage))  # type: ignore[arg-type]


def test_a_column_that_nobody_has_anything_for_is_not_there() -> None:
    report = StatsReport(rows=(row("a", cpu_percent=98.4, memory_bytes=9 << 30, memory_limit_bytes=24 << 30), row("b")))
    assert plain(stats_lines(report, 80)).splitlines() == [
        "SERVICE  HOST   CPU   MEMORY",
        "a        gpu01  98 %  9 GiB / 24 GiB",
        "b        gpu01  -     -",
    ]


def test_everything_there_is_to_see() -> None:
    usage = {"gpu_memory_bytes": 5 << 30, "gpu_percent": 61.0, "network_received_bytes": 94_000_000}
    report = StatsReport(rows=(row("a", **usage, disk_read_bytes=1, disk_written_bytes=2000, processes=3),))
    assert plain(stats_lines(report, 80)).splitlines() == [
        "SERVICE  HOST   GPU MEM  GPU   NET IN/OUT  DISK R/W    PROCS",
        "a        gpu01  5 GiB    61 %  94 MB / -   1 B / 2 kB  3",
    ]
