"""What everything uses now, as a table, and used before, as one small curve per figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from llmstack.domain.measured import Metrics, StoredSample
from llmstack.domain.units import UNKNOWN, memory, moment, percent, size
from llmstack.domain.usage import StatsReport, StatsRow, Usage
from llmstack.ui.clean import line
from llmstack.ui.table import known, table
from llmstack.ui.text import Text

HEAD = ("SERVICE", "HOST", "CPU", "MEMORY", "GPU MEM", "GPU", "NET IN/OUT", "DISK R/W", "PROCS", "MODELS")
BARS = "▁▂▃▄▅▆▇█"
GAP, PAUSE = " ", "·"
LONGEST_GAP_S = 90.0
"""What lies further apart was not measured in between."""
BESIDE, LEAST_ROOM = 50, 10
"""Cells of name and words, and of a curve that is worth drawing."""
Series = list[float | None]


def stats_lines(report: StatsReport, width: int) -> Iterator[Text]:
    """The table, without columns that no row has anything for."""
    return known(HEAD, list(map(_row, report.rows)), width, "CPU")


def _row(row: StatsRow) -> list[Text]:
    used = row.usage
    cells = (
        row.service,
        row.host,
        percent(used.cpu_percent),
        memory(used.memory_bytes, used.memory_limit_bytes),
        memory(used.gpu_memory_bytes),
        percent(used.gpu_percent),
        _both(used.network_received_bytes, used.network_sent_bytes),
        _both(used.disk_read_bytes, used.disk_written_bytes),
        UNKNOWN if used.processes is None else str(used.processes),
        " ".join(row.models) or UNKNOWN,
    )
    return [line(cell) for cell in cells]


def _both(one: int | None, other: int | None) -> str:
    return UNKNOWN if one is None and other is None else f"{size(one)} / {size(other)}"


def sparkline(runs: Sequence[Series], room: int) -> str:
    """PURE: one bar a value, from nothing to the highest; what is unknown is a gap, and between two runs is a pause.
    Where they have no room a bar is the highest of some, and the oldest go."""
    top = max((value for run in runs for value in run if value is not None), default=0.0) or 1.0
    step = -(-sum(map(len, runs)) // room) or 1
    bars = ("".join(_bar(run[at : at + step], top) for at in range(0, len(run), step)) for run in runs)
    return PAUSE.join(bars)[-room:]


def _bar(values: Series, top: float) -> str:
    known = _known(values)
    return BARS[round(max(0.0, *known) / top * (len(BARS) - 1))] if known else GAP


def metrics_lines(found: Sequence[Metrics], width: int) -> Iterator[Text]:
    """Each instance with its curves; a figure that was never known has none."""
    for each in found:
        first, last = each.samples[0], each.samples[-1]
        yield line((str(last.target), "bold"), f"  {moment(first.at)} to {moment(last.at)}")
        curves = [(name, series(each.samples), told) for name, series, told in _FIGURES]
        known = [(f"  {name}", values, _range(values, told)) for name, values, told in curves if _known(values)]
        room = max(LEAST_ROOM, width - BESIDE)
        rows = ((name, sparkline(_runs(each.samples, values), room), (words, "dim")) for name, values, words in known)
        yield from table([[line(cell) for cell in row] for row in rows], width)


def _known(values: Series) -> list[float]:
    return [value for value in values if value is not None]


def _runs(samples: Sequence[StoredSample], values: Series) -> list[Series]:
    """PURE: `values` of `samples`, parted where there was a pause."""
    pauses = [at for at, (one, two) in enumerate(pairwise(samples), 1) if two.at - one.at > LONGEST_GAP_S]
    return [values[start:end] for start, end in pairwise((0, *pauses, len(values)))]


def _range(values: Series, told: Callable[[float | None], str]) -> str:
    known = _known(values)
    return f"{told(min(known))} to {told(max(known))}, last {told(values[-1])}"


def _level(read: Callable[[Usage], float | None]) -> Callable[[Sequence[StoredSample]], Series]:
    return lambda samples: [read(sample.usage) for sample in samples]


def _rate(*reads: Callable[[Usage], int | None]) -> Callable[[Sequence[StoredSample]], Series]:
    """Bytes a second since the sample before; unknown after a gap, and where the count began anew."""

    def rate(before: StoredSample, after: StoredSample) -> float | None:
        seconds = after.at - before.at
        counts = [(read(before.usage), read(after.usage)) for read in reads]
        grown = [new - old for old, new in counts if old is not None and new is not None]
        return sum(grown) / seconds if grown and min(grown) >= 0 and seconds <= LONGEST_GAP_S else None

    return lambda samples: [None, *(rate(*two) for two in pairwise(samples))]


def _per_second(value: float | None) -> str:
    return f"{size(value)}/s" if value is not None else size(value)


_FIGURES = (
    ("CPU", _level(lambda used: used.cpu_percent), percent),
    ("MEMORY", _level(lambda used: used.memory_bytes), memory),
    ("GPU MEM", _level(lambda used: used.gpu_memory_bytes), memory),
    ("GPU", _level(lambda used: used.gpu_percent), percent),
    ("NET", _rate(lambda used: used.network_received_bytes, lambda used: used.network_sent_bytes), _per_second),
    ("DISK", _rate(lambda used: used.disk_read_bytes, lambda used: used.disk_written_bytes), _per_second),
)
