"""What was done before, by the store alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from llmstack.domain.event import Event
from llmstack.domain.names import nearest
from llmstack.domain.selection import Selection
from llmstack.domain.stored import StoredRun
from llmstack.errors import NoMatchError


class Archive(Protocol):
    """The store, as far as it remembers runs."""

    def runs(self, limit: int | None = 20, names: Sequence[str] = ()) -> tuple[StoredRun, ...]:
        """The last runs, newest first; with `names` those that worked on one of them, and of each only that."""
        ...

    def run(self, run_id: str) -> StoredRun | None:
        """One run."""
        ...

    def events(self, run_id: str) -> tuple[Event, ...]:
        """What happened in a run, in order."""
        ...


def history(archive: Archive, selection: Selection, *, limit: int | None) -> tuple[StoredRun, ...]:
    """The last runs, newest first; where names are picked those that worked on them, and of each only that.

    Raises NoMatchError for names that no run worked on.
    """
    names = names_in(selection)
    found = archive.runs(limit, names)
    if names and not found:
        known = {item[key] for run in archive.runs(None) for item in run.items for key in ("name", "target")}
        near = filter(None, (nearest(name, sorted(known)) for name in names))
        hint = "".join(f" Did you mean '{name}'?" for name in list(near)[:1])
        raise NoMatchError(f"no run that is remembered worked on {', '.join(names)}.{hint}", "see `llmstack history`")
    return found


def one_run(archive: Archive, run_id: str) -> StoredRun:
    """One run with its events. Raises NoMatchError naming the runs that are remembered."""
    run = archive.run(run_id)
    if run is None:
        known = archive.runs(None)
        told = f"runs {known[-1].id} to {known[0].id} are: `llmstack history`" if known else "nothing was run so far"
        raise NoMatchError(f"no run '{run_id}' is remembered", told)
    return replace(run, events=archive.events(run_id))


def names_in(selection: Selection) -> tuple[str, ...]:
    """What was picked by name, with the hosts that were."""
    names = (*selection.models, *selection.services)
    return tuple(f"{name}@{host}" for name in names for host in selection.hosts) if selection.hosts else names
