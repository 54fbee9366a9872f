"""How far a fetch has come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a fetch stands; None is unknown.

    What listeners hear is a high-water mark: `completed_bytes` never goes down within one fetch. `stalled_s` is how
    long no byte came, once that is long; `bytes_per_s` and `left_s` are those of the last seconds.
    """

    item: str
    phase: str
    completed_bytes: int = 0
    total_bytes: int | None = None
    done: bool = False
    stalled_s: float | None = None
    bytes_per_s: float | None = None
    left_s: float | None = None

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return asdict(self)


TOLD_EVERY_BYTES = 1024 * 1024


def counted(chunks: Iterable[bytes], item: str, report: Callable[[Progress], None]) -> Iterator[bytes]:
    """The same chunks; how many bytes were taken is told now and then."""
    sent = told = 0
    for chunk in chunks:
        yield chunk
        sent += len(chunk)
        if sent - told >= TOLD_EVERY_BYTES:
            report(Progress(item, "copying", sent))
            told = sent
    report(Progress(item, "copied", sent, sent, done=True))
