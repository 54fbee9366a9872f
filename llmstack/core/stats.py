"""What everything that runs uses, on all hosts at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from llmstack.core.context import Context
from llmstack.core.device import ON_DEMAND
from llmstack.core.gpus import holders, with_gpu
from llmstack.core.observe import Place, asked
from llmstack.core.select import Picked
from llmstack.domain.report import FIGURES, StatusReport, StatusRow
from llmstack.domain.target import Target
from llmstack.domain.usage import StatsReport, StatsRow, Usage
from llmstack.errors import LlmstackError


def stats_report(picked: Sequence[Picked], context: Context, *, quick: bool = False) -> StatsReport:
    """One row per running instance, in the order of the inventory; a host that cannot be asked is an error in it, one
    that cannot tell `quick`ly says nothing."""
    places: dict[Place, list[Picked]] = {}
    for item in picked:
        if item.wanted.container_name:
            places.setdefault((item.wanted.target.host, item.wanted.engine), []).append(item)

    def measure(place: Place) -> dict[str, Usage]:
        engine = context.engine(places[place][0].wanted)
        return engine.usages([item.wanted.container_name or "" for item in places[place]], quick=quick)

    measured, lost = asked(measure, places, context.forks)
    rows = [row for item in picked if (row := _row(item, measured))]
    local = {item.wanted.target for item in picked if item.wanted.placement.host.local}
    return StatsReport(rows=_with_gpus(rows, local, context), errors=tuple(lost.values()))


def with_usage(report: StatusReport, used: StatsReport) -> StatusReport:
    """PURE: each row with what its instance uses; nothing of a GPU for a model that waits to be loaded, and for a
    companion that has nothing there."""
    usages = {(row.host, row.container_name): row.usage for row in used.rows}

    def filled(row: StatusRow) -> StatusRow:
        usage = usages.get((row.host, row.container_name or ""), Usage())
        if row.device == ON_DEMAND or not (row.model or usage.gpu_memory_bytes):
            usage = replace(usage, gpu_memory_bytes=None)
        return replace(row, **{name: getattr(usage, name) for name in FIGURES})

    return replace(report, rows=tuple(map(filled, report.rows)))


def _with_gpus(rows: Sequence[StatsRow], local: Collection[Target], context: Context) -> tuple[StatsRow, ...]:
    """With what those on this machine use of its GPUs."""
    gpus = (context.gpus.gpus() if any(row.target in local for row in rows) else None) or ()
    whose = holders(gpus, context)
    silent = any(gpu.process_bytes is None for gpu in gpus)

    def filled(row: StatsRow) -> StatsRow:
        there = None
        with suppress(LlmstackError):
            there = context.inspect(context.wanted[row.target]) if silent else None
        return replace(row, usage=with_gpu(row.usage, row.container_name, gpus, whose, there.spec if there else None))

    return tuple(filled(row) if row.target in local else row for row in rows)


def _row(item: Picked, measured: dict[Place, dict[str, Usage]]) -> StatsRow | None:
    wanted = item.wanted
    found = measured.get((wanted.target.host, wanted.engine), {})
    if wanted.container_name is None or wanted.container_name not in found:
        return None
    return StatsRow(
        service=wanted.target.name,
        host=wanted.target.host,
        engine=wanted.engine,
        container_name=wanted.container_name,
        models=tuple(model.name for model in wanted.placement.models),
        usage=found[wanted.container_name],
    )
