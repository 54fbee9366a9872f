"""How a fetch goes: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from rich.text import Text

from llmstack.domain.progress import Progress
from llmstack.ui.clean import line
from llmstack.ui.units import duration, percent, size

PLAIN_EVERY_S = 10.0
"""Off a terminal a fetch says no more than this often how far it is."""
_BAR_CELLS = 22


@dataclass(slots=True)
class Fetch:
    """One item being fetched, from its first report on; times are seconds since the epoch."""

    since: float
    first: Progress
    at: float = field(init=False)
    latest: Progress = field(init=False)
    told_at: float = 0.0

    def __post_init__(self) -> None:
        self.at, self.latest = self.since, self.first

    def due(self) -> bool:
        """Whether a plain line is due; it is then taken as told."""
        due = self.at - self.told_at >= PLAIN_EVERY_S and not self.latest.done
        self.told_at = self.at if due else self.told_at
        return due

    def line(self, *, bar: bool) -> Text:
        """`llama3:8b  ━━━━━━────  63 %  2.9/4.7 GB  84 MB/s  0:00:21`."""
        return line((self.latest.item, "bold"), self._bar() if bar else "", *(f"  {part}" for part in self._figures()))

    def _figures(self) -> Iterator[str]:
        done, total = self.latest.completed_bytes, self.latest.total_bytes
        if total:
            yield percent(100 * done / total)
            yield size(done, total)
        else:
            yield self.latest.phase
            if done:
                yield size(done)
        if self.latest.stalled_s is not None:
            yield f"stalled {duration(self.latest.stalled_s)}, resuming"
        elif done > self.first.completed_bytes and self.at > self.since:
            bytes_per_s = (done - self.first.completed_bytes) / (self.at - self.since)
            yield f"{size(bytes_per_s)}/s"
            if total:
                yield str(timedelta(seconds=int((total - done) / bytes_per_s)))

    def _bar(self) -> Text:
        total = self.latest.total_bytes
        if not total:
            return Text()
        filled = min(_BAR_CELLS, _BAR_CELLS * self.latest.completed_bytes // total)
        return line("  ", ("━" * filled, "green"), ("─" * (_BAR_CELLS - filled), "dim"))
