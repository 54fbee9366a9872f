"""What was done and used before, by the store alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmstack.domain.measured import Metrics, StoredSample
from llmstack.domain.names import nearest
from llmstack.domain.selection import Selection
from llmstack.domain.stored import StoredRun
from llmstack.errors import NoMatchError
from llmstack.protocols import Ledger


def history(memory: Ledger, selection: Selection, *, limit: int | None) -> tuple[StoredRun, ...]:
    """The last runs, newest first; where names are picked those that worked on them, and of each only that.

    Raises NoMatchError for names that no run worked on.
    """
    names = names_in(selection)
    found = memory.runs(limit, names)
    if names and not found:
        known = {item[key] for run in memory.runs(None) for item in run.items for key in ("name", "target")}
        near = filter(None, (nearest(name, sorted(known)) for name in names))
        hint = "".join(f" Did you mean '{name}'?" for name in list(near)[:1])
        raise NoMatchError(f"no run that is remembered worked on {', '.join(names)}.{hint}", "see `llmstack history`")
    return found


def one_run(memory: Ledger, run_id: str) -> StoredRun:
    """One run with its events. Raises NoMatchError naming the runs that are remembered."""
    run = memory.run(run_id)
    if run is None:
        known = memory.runs(None)
        told = f"runs {known[-1].id} to {known[0].id} are: `llmstack history`" if known else "nothing was run so far"
        raise NoMatchError(f"no run '{run_id}' is remembered", told)
    return replace(run, events=memory.events(run_id))


def last_work(runs: Iterable[StoredRun], names: Collection[str]) -> tuple[StoredRun, Mapping[str, Any]] | None:
    """PURE: the newest of `runs` that worked on a target of one of these names, and what came of it; to leave it as it
    is was no work."""
    for run in runs:
        for item in run.items:
            if item["target"] in names and (item.get("action") or {}).get("action", "keep") != "keep":
                return run, item
    return None


def names_in(selection: Selection) -> tuple[str, ...]:
    """What was picked by name, with the hosts that were."""
    names = (*selection.models, *selection.services)
    return tuple(f"{name}@{host}" for name in names for host in selection.hosts) if selection.hosts else names


def metrics(memory: Ledger, selection: Selection, *, last: int) -> tuple[Metrics, ...]:
    """The last samples of each instance; where names are picked of those that serve or are called so.

    Raises NoMatchError for names of which nothing was measured.
    """
    names = set(names_in(selection))
    rows = memory.models() if names else ()
    serving = {(row.host, row.container_name) for row in rows if names & {row.name, f"{row.name}@{row.host}"}}
    found: dict[tuple[str, str], list[StoredSample]] = {}
    for sample in memory.samples():
        key = sample.host, sample.container_name
        if not names or key in serving or names & {sample.service, str(sample.target)}:
            found.setdefault(key, []).append(sample)
    if names and not found:
        message = f"nothing was measured of {', '.join(sorted(names))}"
        raise NoMatchError(message, "llmstack stats --watch measures, and keeps one sample a minute for a week")
    return tuple(_of(samples[-last:]) for samples in found.values())


def _of(samples: Sequence[StoredSample]) -> Metrics:
    return Metrics(service=samples[-1].service, host=samples[-1].host, samples=tuple(samples))
