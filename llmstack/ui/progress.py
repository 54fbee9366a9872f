"""How a fetch goes: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rich.text import Text

from llmstack.domain.progress import Progress
from llmstack.ui.clean import clean
from llmstack.ui.units import countdown, duration, percent, size, size_of

PLAIN_EVERY_S = 10.0
"""Off a terminal a fetch says no more than this often how far it is."""
_RATE_OVER_S = 5.0
_BAR_CELLS = 22


@dataclass(slots=True)
class Fetch:
    """One item being fetched: the furthest it came, and how fast over the last seconds."""

    latest: Progress
    seen: deque[tuple[float, int]] = field(default_factory=deque)
    told_at: float | None = None

    def take(self, ts: float, progress: Progress) -> None:
        """Note `progress` at `ts` (seconds); what would go backwards is kept where it was."""
        if progress.completed_bytes < self.latest.completed_bytes and not progress.done:
            progress = self.latest
        self.latest = progress
        self.seen.append((ts, progress.completed_bytes))
        while len(self.seen) > 2 and ts - self.seen[0][0] > _RATE_OVER_S:
            self.seen.popleft()

    @property
    def bytes_per_s(self) -> float | None:
        """Over the last seconds; None while nobody can tell."""
        if len(self.seen) < 2:
            return None
        (first, start), (last, end) = self.seen[0], self.seen[-1]
        return (end - start) / (last - first) if last > first and end > start else None

    def due(self, ts: float) -> bool:
        """Whether a plain line is due at `ts`; it is then taken as told."""
        if self.told_at is not None and ts - self.told_at < PLAIN_EVERY_S and not self.latest.done:
            return False
        self.told_at = ts
        return True


def where(item: str, host: str) -> Text:
    """`llama3:8b on gpu01.lab   `."""
    return Text.assemble((clean(item), "bold"), f" on {clean(host)}   ")


def fetch_line(fetch: Fetch, host: str, *, bar: bool, indent: int = 0) -> Text:
    """`llama3:8b on gpu01.lab   ━━━━╸───  63 %  2.9/4.7 GB   84 MB/s   0:00:21`."""
    latest, total = fetch.latest, fetch.latest.total_bytes
    text = Text(" " * indent).append_text(where(latest.item, host))
    if latest.done:
        return text.append("✓ ", "green").append(f"fetched, {size(total)}" if total else "fetched")
    if bar and total:
        text.append_text(_bar(latest.completed_bytes / total)).append("  ")
    if total:
        done = min(latest.completed_bytes, total)
        text.append(f"{percent(100 * done / total)}  {size_of(done, total)}")
    else:
        text.append(f"{clean(latest.phase)}  {size(latest.completed_bytes) if latest.completed_bytes else ''}".rstrip())
    return text.append(_pace(fetch), "dim")


def _pace(fetch: Fetch) -> str:
    latest, speed = fetch.latest, fetch.bytes_per_s
    if latest.stalled_s is not None:
        return f"   stalled {duration(latest.stalled_s)}, resuming"
    if speed is None:
        return ""
    left = f"   {countdown((latest.total_bytes - latest.completed_bytes) / speed)}" if latest.total_bytes else ""
    return f"   {size(int(speed))}/s{left}"


def _bar(share: float) -> Text:
    filled = min(_BAR_CELLS, int(share * _BAR_CELLS))
    tip = "╸" if filled < _BAR_CELLS else ""
    return Text.assemble(("━" * filled + tip, "green"), ("─" * (_BAR_CELLS - filled - len(tip)), "dim"))
