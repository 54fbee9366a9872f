"""Gather what `status` and `sync` show, and repair the store where `sync` may."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TypeVar

from llmstack.core.adopted import look_by_label, wanted_of
from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.fate import AtWork, Reason, by_us, judged, reason
from llmstack.core.look import Look, look_at_model, try_look
from llmstack.core.observe import Observed, in_parallel, observe, places_of
from llmstack.core.plan import plan_up
from llmstack.core.remember import external_instance, keep_row
from llmstack.core.select import Picked
from llmstack.core.status import found_row, orphan_row, rows_of, stranger_row, with_failure
from llmstack.core.sync import Seen, differences, wishes
from llmstack.domain.happening import What
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance, State
from llmstack.domain.report import Difference, StatusReport, SyncReport
from llmstack.domain.service import EXTERNAL
from llmstack.domain.stored import StoredLadder, StoredModel, StoredRun
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError, StoreError, UnreachableError
from llmstack.modeltype import Family
from llmstack.modeltype.registry import Registry
from llmstack.protocols import Ledger

T = TypeVar("T")
Told = Mapping[tuple[str, str], Sequence[What]]
"""What was told of an instance since its start, by host and name."""
Known = Mapping[tuple[str, str], StoredModel]
"""A row of an instance, by host and name."""
Found = Sequence[tuple[Wanted, Instance, Look]]


def status_report(
    picked: Sequence[Picked],
    observed: Observed,
    orphans: Sequence[Instance],
    context: Context,
    *,
    memory: Ledger | None,
    registry: Registry,
) -> StatusReport:
    """One row per model and companion, orphans last; `memory` is None where the store cannot be read."""
    at_work = partial(_at_work, memory, since=context.clock.now())
    known = _known(_recalled(memory, lambda store: store.models()) or ())
    observed = _inspected([item.wanted for item in picked], observed, context, known)
    looks = _looks([item.wanted for item in picked], observed, context)
    lost = [orphan_row(*one, context.wanted.values()) for one in _looked_at(orphans, context, registry)]
    last = partial(last_ladder, memory)
    names = {(item.wanted.target.host, item.wanted.container_name or "") for item in picked}
    there = {(one.host, one.container_name) for one in observed.rows()}
    taken = _taken([known[name] for name in (names & known.keys()) - there], observed, context)
    rows = rows_of(picked, observed, looks, last, known=known, taken=taken, now=context.clock.now(), at_work=at_work)
    runs = cache(lambda: _recalled(memory, lambda store: store.runs()) or ())
    told = (with_failure(row, runs) for row in rows)
    return StatusReport(rows=(*told, *lost), errors=tuple(observed.errors.values()))


def last_ladder(memory: Ledger | None, target: Target) -> StoredLadder | None:
    """The last climb of a target; a store that fails remembers none."""
    return _recalled(memory, lambda store: store.last_ladder(target))


def _at_work(memory: Ledger | None, host: str, since: float) -> StoredRun | None:
    return _recalled(memory, lambda store: store.at_work(host, since))


def _recalled(memory: Ledger | None, recall: Callable[[Ledger], T]) -> T | None:
    with contextlib.suppress(StoreError):
        return recall(memory) if memory else None
    return None


def _known(rows: Sequence[StoredModel]) -> Known:
    ordered = sorted(rows, key=lambda row: row.state.active)  # what is active tells more than what its server lost
    return {(row.host, row.container_name): row for row in ordered}


def _inspected(
    wanted: Sequence[Wanted], observed: Observed, context: Context, known: Known, told: Told | None = None
) -> Observed:
    """With what a list does not tell of what runs: restarts, and since when; and what only we know of how it ended.
    What cannot be inspected stays as listed, what is gone by now is gone."""
    items = [item for item in wanted if observed.find(item)]
    found = in_parallel(lambda item: _inspect(item, observed, context), items, context.forks)
    full = {(item.target, item.engine): there for item, there in zip(items, found, strict=True)}
    for key, there in full.items():
        if there:
            name = (there.host, there.container_name)
            full[key] = judged(there, known.get(name), (told or {}).get(name, ()))
    instances = {key: full.get(key, there) for key, there in observed.instances.items()}
    return replace(observed, instances={key: there for key, there in instances.items() if there})


def _inspect(item: Wanted, observed: Observed, context: Context) -> Instance | None:
    there = observed.find(item)
    assert there is not None
    try:
        return context.engine(item).inspect(there.container_name)
    except LlmstackError:
        return there


def _looks(wanted: Sequence[Wanted], observed: Observed, context: Context) -> dict[Target, Look]:
    items = [item for item in wanted if (item.target.host, item.engine) not in observed.errors]
    found = in_parallel(lambda item: try_look(context, item, observed.find(item)), items, context.forks)
    return {item.target: seen for item, seen in zip(items, found, strict=True)}


def strangers_report(context: Context, registry: Registry, *, companions: bool = True) -> StatusReport:
    """Without an inventory: whatever serves models on this machine, and with `companions` what of ours stands beside;
    ours say by their labels how to look at them."""
    here = Host(name="localhost")
    places = {("localhost", kind): here for kind in ("process", "docker")}
    instances, errors = observe(places, context.engine_of, None, context.forks)
    ours = [one for one in instances if companions or not _is_companion(one, registry)]
    rows = [found_row(*one) for one in _looked_at(ours, context, registry)]
    for place in places:
        if place not in errors:
            rows += [
                stranger_row(there, _url(context, here, there))
                for there in context.engine_of(here, place[1]).strangers()
            ]
    real = [error for error in errors.values() if not isinstance(error, UnreachableError)]
    return StatusReport(rows=tuple(rows), errors=tuple(real), inventory=None)


def _is_companion(there: Instance, registry: Registry) -> bool:
    wanted = wanted_of(there, registry)
    return bool(wanted and wanted.type and wanted.type.family is Family.COMPANION)


def _looked_at(instances: Sequence[Instance], context: Context, registry: Registry) -> list[tuple[Instance, Look]]:
    """Each with a look at it, by what its label says."""
    looks = in_parallel(lambda there: look_by_label(context, there, registry), list(instances), context.forks)
    return list(zip(instances, looks, strict=True))


def _url(context: Context, here: Host, there: Instance) -> str | None:
    try:
        endpoint = context.engine_of(here, there.engine).endpoint(there) if there.running else None
    except LlmstackError:
        return None
    return endpoint.controller if endpoint else None


def sync_report(
    wanted: Sequence[Wanted],
    observed: Observed,
    orphans: Sequence[Instance],
    context: Context,
    memory: Ledger,
    *,
    rows: Sequence[StoredModel],
    check: bool,
    whole: bool = True,
    told: Told | None = None,
) -> SyncReport:
    """All differences from `rows`, as they were before the look; without `check` the store is made to say what
    runs, with it the inventory is compared too. Only a `whole` look judges rows of what is not in `wanted`. `told` is
    what was heard of instances meanwhile, and what a run of ours does meanwhile is told as its own."""
    known, now = _known(rows), context.clock.now()
    at_work = partial(_at_work, memory, since=now)
    observed = _inspected(wanted, observed, context, known, told)
    looks = _looks(wanted, observed, context)
    asked = [item for item in wanted if item.target in looks]
    found = [(item, there, looks[item.target]) for item in asked if (there := _there(item, observed, context))]
    seen = [one for each in found for one in _seen(*each)]
    seen += [Seen(instance=there, names=(), state=there.state, wanted=False) for there in orphans]
    names = {item.target.name for item in wanted}
    stored = [row for row in rows if (whole or row.service in names) and _judged(row, wanted, observed, context)]
    there_now = {(one.instance.host, one.instance.container_name) for one in seen}
    absent = [row for row in stored if (row.host, row.container_name) not in there_now]
    gone = [row for row in absent if check or row.state is not State.ABSENT]
    taken = _taken(gone, observed, context)
    wrong = tuple(_done_by(one, at_work) for one in differences(stored, seen, now, taken))
    if check:
        mine, whys = [item for item in wanted if not item.external], {}
        for item in mine:
            name, climb = (item.target.host, item.container_name or ""), last_ladder(memory, item.target)
            if why := reason(observed.find(item), known.get(name), now, taken=taken.get(name), climb=climb):
                whys[item.target] = by_us(why, item.target.host, at_work)
        plan = plan_up([Picked(item) for item in mine], observed)
        wrong += tuple(wishes(plan.actions, whys, {one.target for one in wrong}))
    else:
        theirs = _repair(found, gone, rows, memory)
        wrong = tuple(one for one in wrong if one.target not in theirs)
    changed = sum(difference.action.startswith("recorded") for difference in wrong)
    return SyncReport(differences=wrong, changed=0 if check else changed, errors=tuple(observed.errors.values()))


def _done_by(one: Difference, at_work: AtWork) -> Difference:
    why = by_us(Reason(one.reason, one.engine), one.target.host, at_work) if one.reason else None
    return replace(one, engine=why.text, reason=why.fate) if why else one


def _taken(gone: Sequence[StoredModel], observed: Observed, context: Context) -> dict[tuple[str, str], Instance]:
    """What has the name of an instance of ours that is `gone`, and does not carry our labels."""
    asked = [row for row in gone if (row.host, row.engine) not in observed.errors]
    found = {}
    for key, engine in {(row.host, row.container_name): row.engine for row in asked}.items():
        with contextlib.suppress(LlmstackError):
            found[key] = context.engine_of(context.hosts[key[0]], engine or "").inspect(key[1])
    return {key: instance for key, instance in found.items() if instance}


def _judged(row: StoredModel, wanted: Sequence[Wanted], observed: Observed, context: Context) -> bool:
    """Whether a row is this stack's, and of a place that was asked."""
    if row.stack not in (None, context.stack):
        return False
    asked = places_of(wanted).keys() - observed.errors.keys()
    hosts = {item.target.host for item in wanted}
    return (row.host, row.engine) in asked or (row.engine == EXTERNAL and row.host in hosts)


def _there(item: Wanted, observed: Observed, context: Context) -> Instance | None:
    return external_instance(item, context.stack) if item.external else observed.find(item)


def _seen(item: Wanted, there: Instance, found: Look) -> Iterator[Seen]:
    """One per row of the store: each model of a lazy server has its own state."""
    models = item.enabled_models()
    if found.served is None or not models:
        names = tuple(model.name for model in models) or (item.placement.service.name,)
        yield Seen(instance=there, names=names, state=found.state, version=found.version, url=found.url)
        return
    for model in models:
        yield Seen(instance=there, names=(model.name,), state=look_at_model(item, model, found).state, url=found.url)


def _repair(found: Found, gone: Sequence[StoredModel], rows: Sequence[StoredModel], memory: Ledger) -> set[Target]:
    """Make the store say what was seen; what others have noted since stays, they may know more. Returns of whom."""
    with memory.turn() as latest:
        late = {(row.host, row.container_name) for row in {*rows} ^ {*latest}}
        for item, there, look in found:
            if (there.host, there.container_name) not in late:
                keep_row(item, there, look, memory)
        for row in gone:
            if (row.host, row.container_name) not in late:
                memory.gone(Target(row.name, row.host), row.container_name, on_purpose=False)
    return {Target(row.name, row.host) for row in latest if (row.host, row.container_name) in late}
