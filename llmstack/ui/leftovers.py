"""What is left, and how much of it there is."""

from __future__ import annotations

from collections.abc import Iterator

from llmstack.domain.leftover import LeftoverKind, Remains, Remnant
from llmstack.domain.units import size
from llmstack.ui.clean import line
from llmstack.ui.table import table
from llmstack.ui.text import Text


def leftover_lines(found: Remains, width: int) -> Iterator[Text]:
    """One row each, data in yellow, and the sum of what is known; at last the hosts of which nothing is."""
    unknown = f"unknown: {', '.join(found.unknown)}" if found.unknown else ""
    if not found.items:
        nothing = [f"nothing left on {', '.join(found.asked)}"] if found.asked else []
        yield line("; ".join([*nothing, unknown]) if unknown else "nothing is left")
        return
    yield from table([_row(item) for item in found.items], width, keep=5)
    known = sum(item.leftover.size_bytes or 0 for item in found.items)
    yield line((f"{len(found.items)} left, {size(known)} as far as is known{'; ' * bool(unknown)}{unknown}", "bold"))


def _row(item: Remnant) -> list[Text]:
    one = item.leftover
    style = "yellow" if one.kind is LeftoverKind.VOLUME else ""
    return [
        line(item.host),
        line((one.kind.value, "dim")),
        line((one.name, style or "bold")),
        line((size(one.size_bytes) if one.size_bytes else "", style)),
        line(one.what),
    ]
