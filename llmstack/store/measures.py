"""What the store keeps of what was measured. Its tables are loaded when somebody measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from llmstack.store.database import Database

if TYPE_CHECKING:
    from llmstack.domain.measured import Peak, StoredSample
    from llmstack.domain.usage import StatsRow


class WithMeasures:
    """Samples and peaks; every method raises StoreError."""

    _database: Database
    _now: Callable[[], float]

    def keep_samples(self, rows: Sequence[StatsRow]) -> None:
        """Keep what was measured now: one sample per instance and minute, for a week."""
        from llmstack.store import samples

        with self._database.write() as sqlite:
            samples.keep(sqlite, rows, self._now())

    def keep_peak(self, peak: Peak) -> None:
        """Keep what a model took, unless more is known."""
        from llmstack.store import peaks

        with self._database.write() as sqlite:
            peaks.keep(sqlite, peak, self._now())

    def peak(self, image: str, model: str, context: int, gpu_kind: str) -> Peak | None:
        """The most memory that was measured of just that."""
        from llmstack.store import peaks

        with self._database.read() as sqlite:
            return peaks.find(sqlite, image, model, context, gpu_kind)

    def samples(self) -> tuple[StoredSample, ...]:
        """Everything that is kept of what was measured, by instance, oldest first."""
        from llmstack.store import samples

        with self._database.read() as sqlite:
            return tuple(samples.kept(sqlite))
