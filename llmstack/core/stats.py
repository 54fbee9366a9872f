"""What everything that runs uses, on all hosts at once."""

from __future__ import annotations

from collections.abc import Sequence

from llmstack.core.context import Context
from llmstack.core.observe import Place, in_parallel
from llmstack.core.select import Picked
from llmstack.domain.usage import StatsReport, StatsRow, Usage
from llmstack.errors import LlmstackError

Measured = dict[str, Usage] | LlmstackError


def stats_report(picked: Sequence[Picked], context: Context) -> StatsReport:
    """One row per running instance, in the order of the inventory; a host that cannot be asked is an error in it."""
    places: dict[Place, list[Picked]] = {}
    for item in picked:
        if item.wanted.container_name:
            places.setdefault((item.wanted.target.host, item.wanted.engine), []).append(item)

    def measure(items: list[Picked]) -> Measured:
        try:
            engine = context.engine(items[0].wanted)
            return engine.usages([item.wanted.container_name or "" for item in items])
        except LlmstackError as error:
            return error

    measured = dict(zip(places, in_parallel(measure, list(places.values()), context.forks), strict=True))
    rows = [row for item in picked if (row := _row(item, measured))]
    return StatsReport(rows=tuple(rows), errors=tuple(e for e in measured.values() if isinstance(e, LlmstackError)))


def _row(item: Picked, measured: dict[Place, Measured]) -> StatsRow | None:
    wanted = item.wanted
    found = measured.get((wanted.target.host, wanted.engine))
    if wanted.container_name is None or not isinstance(found, dict) or wanted.container_name not in found:
        return None
    return StatsRow(
        service=wanted.target.name,
        host=wanted.target.host,
        engine=wanted.engine,
        container_name=wanted.container_name,
        models=tuple(model.name for model in wanted.placement.models),
        usage=found[wanted.container_name],
    )
