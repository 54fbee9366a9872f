"""How a fetch goes: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from llmstack.domain.progress import Progress
from llmstack.domain.units import duration, percent, size
from llmstack.ui.clean import line
from llmstack.ui.text import Text

PLAIN_EVERY_S = 10.0
"""Off a terminal a fetch says no more than this often how far it is."""
_BAR_CELLS = 22


@dataclass(slots=True)
class Fetch:
    """One item being fetched; times are seconds since the epoch."""

    at: float
    latest: Progress
    told_at: float = 0.0

    def due(self) -> bool:
        """Whether a plain line is due; it is then taken as told."""
        due = self.at - self.told_at >= PLAIN_EVERY_S and not self.latest.done
        self.told_at = self.at if due else self.told_at
        return due

    def line(self, *, bar: bool) -> Text:
        """`llama3:8b  ━━━━━━────  63 %  2.9/4.7 GB  84 MB/s  0:00:21`."""
        return line((self.latest.item, "bold"), self._bar() if bar else "", *(f"  {part}" for part in self._figures()))

    def _figures(self) -> Iterator[str]:
        latest = self.latest
        done, total = latest.completed_bytes, latest.total_bytes
        if total:
            yield percent(100 * done / total)
            yield f"{size(done)} / {size(total)}"
        elif done:
            yield size(done)
        if latest.stalled_s is not None:
            yield f"stalled {duration(latest.stalled_s)}"
        elif latest.bytes_per_s is None:
            yield latest.phase
        else:
            yield f"{size(latest.bytes_per_s)}/s"
        if latest.left_s is not None:
            yield str(timedelta(seconds=int(latest.left_s)))

    def _bar(self) -> Text:
        total = self.latest.total_bytes
        if not total:
            return Text()
        filled = min(_BAR_CELLS, _BAR_CELLS * self.latest.completed_bytes // total)
        return line("  ", ("━" * filled, "green"), ("─" * (_BAR_CELLS - filled), "dim"))
