"""What the core asks of the store, GPUs, time and listeners."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llmstack.domain.event import Event
    from llmstack.domain.gpu import Gpu, Owner
    from llmstack.domain.instance import Instance
    from llmstack.domain.ladder import Ladder
    from llmstack.domain.measured import Peak, StoredSample
    from llmstack.domain.outcome import RunResult
    from llmstack.domain.stored import StoredLadder, StoredModel, StoredRun, StoredVersion
    from llmstack.domain.target import Target


class Ledger(Protocol):
    """The store: remembers and explains, and is never needed for a correct plan. Raises StoreError."""

    def begin_run(self, task: str, command: str) -> str:
        """Note that a run starts, and who runs it; returns its id."""

    def end_run(self, run_id: str, result: RunResult) -> None:
        """Note what a run came to, with each outcome."""

    def record(self, run_id: str | None, event: Event) -> None:
        """Keep one event."""

    def seen(
        self, instance: Instance, models: Iterable[str], version: str | None = None, url: str | None = None
    ) -> None:
        """Make the rows of an instance's models say what its state says; None keeps the version and url known before.

        An instance that runs no more takes all its rows with it, also those of models not named here.
        """

    def models(self) -> tuple[StoredModel, ...]:
        """All that were ever seen."""

    def begun(self) -> frozenset[Target]:
        """What was started or fetched last, and nobody waited for its answer."""

    def gone(self, target: Target, container_name: str, *, on_purpose: bool | None = None) -> None:
        """The instance is no longer there: its rows become inactive."""

    def climbed(self, ladder: Ladder, container_name: str, *, started_spec: str | None = None) -> None:
        """Keep the figures of a ladder; `started_spec` is the digest of the spec when it was that of a start which came
        to its end."""

    def proved(self, version: StoredVersion) -> None:
        """Note that a version was proved ready just now; its times are the store's to set."""

    def keep_peak(self, peak: Peak) -> None:
        """Keep what a model took, unless more is known."""

    def start_s(self, target: Target, spec_digest: str) -> float | None:
        """Seconds that the last start of a target took, of this spec where there was one, else of any."""

    def turn(self) -> AbstractContextManager[tuple[StoredModel, ...]]:
        """All models, while nobody else may write."""

    def last_ladder(self, target: Target) -> StoredLadder | None:
        """The last climb of a target."""

    def runs(self, limit: int | None = 20, names: Collection[str] = ()) -> tuple[StoredRun, ...]:
        """The last runs, newest first; with `names` those that worked on one of them, and of each only that."""

    def run(self, run_id: str) -> StoredRun | None:
        """One run."""

    def events(self, run_id: str) -> tuple[Event, ...]:
        """What happened in a run, in order."""

    def at_work(self, host: str, since: float) -> StoredRun | None:
        """The run that changes things on a host at the moment, or did `since`, in seconds since the epoch."""

    def samples(self) -> tuple[StoredSample, ...]:
        """Everything that is kept of what was measured, oldest first."""


class GpuReader(Protocol):
    """GPUs of one host; `reason` says in words why the last look could not tell."""

    reason: str | None

    def gpus(self) -> tuple[Gpu, ...] | None:
        """All of them; an empty tuple when there is none, None when it cannot be told."""

    def owner(self, pid: int) -> Owner:
        """Whose a process of that host is."""


class Clock(Protocol):
    """Time, as a parameter: tests advance it by hand."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Sink(Protocol):
    """Listens to events."""

    def emit(self, event: Event) -> None:
        """Take one event; must not raise."""
