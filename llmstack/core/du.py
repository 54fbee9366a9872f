"""What models take on the disks of hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.facts import served_by
from llmstack.core.observe import Observed, in_parallel
from llmstack.domain.server import ServedModel
from llmstack.domain.stock import DiskUse, Kept, Stock

IN_PLACE = "its own place"


def disk_use(wanted: Sequence[Wanted], observed: Observed, stock: Stock, context: Context) -> tuple[DiskUse, ...]:
    """Models that servers keep, fetched model files, and those that processes read where they are; by host."""
    lazy = [item for item in wanted if item.lazy]
    served = in_parallel(lambda item: served_by(item, observed.find(item), context), lazy, context.forks)
    rows = [row for item, models in zip(lazy, served, strict=True) for row in _of_server(item, models)]
    rows += [row for item in wanted for row in _in_place(item)]
    rows += [_of_file(kept) for kept in stock.items]
    return tuple(sorted(rows, key=lambda row: (row.host, row.where, row.model)))


def _of_file(kept: Kept) -> DiskUse:
    file, users = kept.file, kept.used_by
    return DiskUse(
        model=file.name,
        host=kept.host,
        where=kept.where,
        digest=file.sha256,
        size_bytes=file.disk_bytes,
        used_by=users,
    )


def _of_server(wanted: Wanted, served: tuple[ServedModel, ...] | None) -> Iterator[DiskUse]:
    """What it has; of one that does not tell, what it should have."""
    host, where, models = wanted.target.host, wanted.target.name, wanted.placement.models
    if served is None:
        yield from (DiskUse(model=model.name, host=host, where=where, used_by=(model.name,)) for model in models)
        return
    for one in served:
        users = tuple(model.name for model in models if wanted.find(model, (one,)))
        digest, size_bytes = one.digest, one.size_bytes
        yield DiskUse(model=one.name, host=host, where=where, digest=digest, size_bytes=size_bytes, used_by=users)


def _in_place(wanted: Wanted) -> Iterator[DiskUse]:
    weights = wanted.spec.weights if wanted.spec and wanted.engine == "process" else None
    if weights and not weights.remote:
        name, users = weights.path.rsplit("/", 1)[-1], (wanted.target.name,)
        yield DiskUse(model=name, host=wanted.target.host, where=IN_PLACE, size_bytes=weights.size_bytes, used_by=users)
