"""Figures as people read them: files in powers of 1000, memory in powers of 1024; unknown is `-`."""

from __future__ import annotations

UNKNOWN = "-"

_FILE = (1000, ("B", "kB", "MB", "GB", "TB"))
_MEMORY = (1024, ("B", "KiB", "MiB", "GiB", "TiB"))


def size(count: int | None) -> str:
    """`94 MB`, `1.9 GB`: bytes of a file or transfer."""
    return UNKNOWN if count is None else _scaled(count, count, *_FILE)


def size_of(part: int, whole: int) -> str:
    """`2.9/4.7 GB`: how much of a transfer is done, both in the whole's unit."""
    return f"{_scaled(part, whole, *_FILE).split()[0]}/{size(whole)}"


def memory(count: int | None) -> str:
    """`7.4 GiB`: bytes of memory of a process or device."""
    return UNKNOWN if count is None else _scaled(count, count, *_MEMORY)


def memory_of(part: int | None, whole: int | None) -> str:
    """`1.2/12 GiB`: how much of a limit is used, both in the limit's unit; the part alone without a limit."""
    if part is None or whole is None:
        return memory(part)
    return f"{_scaled(part, whole, *_MEMORY).split()[0]}/{memory(whole)}"


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


def rate(tokens_per_s: float) -> str:
    """`118 tokens/s`."""
    return f"{_number(tokens_per_s)} tokens/s"


def percent(value: float | None) -> str:
    """`63 %`."""
    return UNKNOWN if value is None else f"{value:.0f} %"


def countdown(seconds: float) -> str:
    """`0:00:21`: time that is left."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def _scaled(count: float, scale: float, base: int, units: tuple[str, ...]) -> str:
    """`count` in the unit that suits `scale`."""
    index = 0
    while round(scale, 1) >= base and index < len(units) - 1:
        count, scale, index = count / base, scale / base, index + 1
    return f"{_number(count) if index else int(count)} {units[index]}"


def _number(value: float) -> str:
    """One decimal below ten, where there is one to show."""
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"
