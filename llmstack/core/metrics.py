"""What instances used before, by the store alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from llmstack.core.history import names_in
from llmstack.domain.measured import Metrics, StoredSample
from llmstack.domain.selection import Selection
from llmstack.domain.stored import StoredModel
from llmstack.errors import NoMatchError


class Samples(Protocol):
    """The store, as far as it remembers what was measured."""

    def samples(self) -> Iterable[StoredSample]:
        """Everything that is kept, oldest first."""
        ...

    def models(self) -> tuple[StoredModel, ...]:
        """All models that were seen."""
        ...


def metrics(archive: Samples, selection: Selection, *, last: int) -> tuple[Metrics, ...]:
    """The last samples of each instance; where names are picked of those that serve or are called so.

    Raises NoMatchError for names of which nothing was measured.
    """
    names = set(names_in(selection))
    rows = archive.models() if names else ()
    serving = {(row.host, row.container_name) for row in rows if names & {row.name, f"{row.name}@{row.host}"}}
    found: dict[tuple[str, str], list[StoredSample]] = {}
    for sample in archive.samples():
        key = sample.host, sample.container_name
        if not names or key in serving or names & {sample.service, str(sample.target)}:
            found.setdefault(key, []).append(sample)
    if names and not found:
        message = f"nothing was measured of {', '.join(sorted(names))}"
        raise NoMatchError(message, "llmstack stats --watch measures, and keeps one sample a minute for a week")
    return tuple(_of(samples[-last:]) for samples in found.values())


def _of(samples: Sequence[StoredSample]) -> Metrics:
    return Metrics(service=samples[-1].service, host=samples[-1].host, samples=tuple(samples))
