"""Model files, and what models take on disks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmstack.domain.stock import DiskUse, Kept, Stock
from llmstack.domain.units import UNKNOWN, moment, size
from llmstack.ui.clean import line
from llmstack.ui.table import known
from llmstack.ui.text import Text

_DIGEST = 12
FILE_HEAD = ("FILE", "HOST", "IN", "SIZE", "WHAT", "SHA-256", "USED BY", "FETCHED", "SOURCE")
USE_HEAD = ("MODEL", "HOST", "IN", "SIZE", "DIGEST", "USED BY")


def weights_lines(found: Stock, width: int) -> Iterator[Text]:
    """One row each, unused ones in yellow, and their sum."""
    if not found.items:
        yield line("no model files")
        return
    yield from known(FILE_HEAD, list(map(_file, found.items)), width, "USED BY")
    unused = sum(item.file.disk_bytes for item in found.unused.items)
    total = sum(item.file.disk_bytes for item in found.items)
    yield line((f"{size(total)}, {size(unused)} of it unused", "bold"))


def _file(item: Kept) -> list[Text]:
    file = item.file
    about = (file.architecture, _count(file.parameters), file.quantization, file.context and f"{file.context} tokens")
    return [
        line((file.name, "bold")),
        line(item.host),
        line((item.where, "dim")),
        line((f"broken, {size(file.disk_bytes)} are there", "red") if file.broken else size(file.size_bytes)),
        line(" ".join(str(part) for part in about if part)),
        line((_short(file.sha256), "dim")),
        line(", ".join(item.used_by) or ("unused", "yellow")),
        line((moment(file.fetched_at) if file.fetched_at else "", "dim")),
        line((file.source, "dim")),
    ]


def _count(parameters: int | None) -> str:
    return "" if parameters is None else size(parameters).removesuffix("B").replace("G", "B").replace(" ", "").upper()


def _short(digest: str | None) -> str:
    return digest[:_DIGEST] if digest else UNKNOWN


def du_lines(rows: Sequence[DiskUse], width: int) -> Iterator[Text]:
    """One row each, and a sum for each host."""
    yield from known(USE_HEAD, list(map(_use, rows)), width, "USED BY") if rows else ()
    for host in dict.fromkeys(row.host for row in rows):
        sizes = [row.size_bytes for row in rows if row.host == host]
        told = [each for each in sizes if each is not None]
        unknown = [f"{len(sizes) - len(told)} of unknown size"] if len(told) < len(sizes) else []
        yield line((f"{host}: {' and '.join(([size(sum(told))] if told else []) + unknown)}", "bold"))


def _use(row: DiskUse) -> list[Text]:
    return [
        line((row.model, "bold")),
        line(row.host),
        line(row.where),
        line(size(row.size_bytes)),
        line((_short(row.digest), "dim")),
        line(", ".join(row.used_by) or ("unused", "yellow")),
    ]
