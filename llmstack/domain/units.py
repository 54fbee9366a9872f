"""Figures as people read them: files in powers of 1000, memory in powers of 1024; unknown is `-`."""

from __future__ import annotations

from datetime import datetime

UNKNOWN = "-"


def size(count: float | None) -> str:
    """`94 MB`: bytes of a file or transfer."""
    return _scaled(count, 1000, ("B", "kB", "MB", "GB", "TB"))


def memory(count: float | None, limit: float | None = None) -> str:
    """`7.4 GiB`: bytes of memory of a process or device; with a limit `117 MiB / 2.2 GiB`."""
    told = (count,) if count is None or limit is None else (count, limit)
    return " / ".join(_scaled(value, 1024, ("B", "KiB", "MiB", "GiB", "TiB")) for value in told)


def duration(seconds: float) -> str:
    """`0.3 s`, `43 s`, `2 min`, `3 h`, `2 d`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for limit, divisor, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def millis(ms: float) -> str:
    """`38 ms` below a second, else as `duration`."""
    return f"{ms:.0f} ms" if ms < 999.5 else duration(ms / 1000)


def moment(ts: float, *, seconds: bool = False) -> str:
    """`2026-03-07 09:12`, or with seconds, in local time."""
    return f"{datetime.fromtimestamp(ts).astimezone():%Y-%m-%d %H:%M{':%S' * seconds}}"


def rate(tokens_per_s: float) -> str:
    """`118 tokens/s`."""
    return f"{_number(tokens_per_s)} tokens/s"


def percent(value: float | None) -> str:
    """`63 %`."""
    return UNKNOWN if value is None else f"{value:.0f} %"


def _scaled(count: float | None, base: int, units: tuple[str, ...]) -> str:
    if count is None:
        return UNKNOWN
    power = 0
    while round(count / base**power, 1) >= base and power < len(units) - 1:
        power += 1
    return f"{_number(count / base**power)} {units[power]}"


def _number(value: float) -> str:
    """One decimal below ten, where there is one to show."""
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"
