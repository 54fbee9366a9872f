"""Figures as people read them: files in powers of 1000, memory in powers of 1024; unknown is `-`."""

from __future__ import annotations

from datetime import datetime

UNKNOWN = "-"


def size(count: float | None, whole: float | None = None) -> str:
    """`94 MB`: bytes of a file or transfer; with its whole `2.9/4.7 GB`."""
    return _scaled(count, whole, 1000, ("B", "kB", "MB", "GB", "TB"))


def memory(count: float | None, limit: float | None = None) -> str:
    """`7.4 GiB`: bytes of memory of a process or device; with a limit `1.2/12 GiB`, `3 MiB/12 GiB`."""
    return _scaled(count, limit, 1024, ("B", "KiB", "MiB", "GiB", "TiB"))


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


def _scaled(count: float | None, whole: float | None, base: int, units: tuple[str, ...]) -> str:
    """Both in the unit that suits the whole."""
    if count is None:
        return UNKNOWN
    both = (count,) if whole is None else (count, whole)
    power = 0
    while round(both[-1] / base**power, 1) >= base and power < len(units) - 1:
        power += 1
    if count and _number(count / base**power) == "0":
        return f"{_scaled(count, None, base, units)}/{_scaled(whole, None, base, units)}"
    return f"{'/'.join(_number(value / base**power) for value in both)} {units[power]}"


def _number(value: float) -> str:
    """One decimal below ten, where there is one to show."""
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"
