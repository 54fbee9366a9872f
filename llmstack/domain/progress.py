"""How far a fetch has come."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """A high-water mark: `completed_bytes` never goes down within one fetch; `total_bytes` None while unknown."""

    item: str
    phase: str
    completed_bytes: int = 0
    total_bytes: int | None = None
    done: bool = False
    stalled_s: float | None = None

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return asdict(self)
