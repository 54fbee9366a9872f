"""The composition root: builds engines, store, types and GPUs, and looks at what is wanted and what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from llmstack.core.context import Context
from llmstack.core.desired import Wanted, desire, fixed_ports, mistakes_of_types_too
from llmstack.core.facts import with_facts
from llmstack.core.observe import Observed, Place, adopted, elsewhere, observe, places_of, sort_out
from llmstack.core.select import Picked, pick
from llmstack.core.twins import distinct, refuse_twins
from llmstack.domain.clock import SystemClock
from llmstack.domain.event import Event, EventType
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance, State
from llmstack.domain.selection import Selection, Settings
from llmstack.domain.service import Inventory
from llmstack.domain.who import Who, who
from llmstack.engines.book import KINDS, EngineBook, same
from llmstack.errors import ConfigError, InventoryError, LlmstackError, NoInventoryError, StoreError
from llmstack.gpu.nvml import NvmlReader
from llmstack.modeltype.registry import Registry
from llmstack.pluginfiles import beside_tasks
from llmstack.protocols import Clock, GpuReader, Sink

if TYPE_CHECKING:
    from llmstack.inventory import Explainer
    from llmstack.store.store import Store

T = TypeVar("T")


class Root:
    """One inventory and what serves it; what happens is told to `sink`."""

    _deadline: float | None = None
    """Of all runs together, once one goes on."""

    def __init__(self, settings: Settings, sink: Sink, *, clock: Clock | None = None) -> None:
        self.settings, self.sink = settings, sink
        self.clock = clock or SystemClock()
        self.engines = EngineBook()
        self.gpus: GpuReader = NvmlReader()
        self._store: Store | None = None

    def close(self) -> None:
        """Let go of engines and store."""
        self.engines.close()
        if self._store:
            self._store.close()

    @cached_property
    def _source(self) -> Explainer:
        from llmstack.inventory import Explainer

        return Explainer(self.settings.inventory, environ=os.environ, extra=self.settings.extra)

    @cached_property
    def registry(self) -> Registry:
        """Every type: bundled, beside tasks.py, and of the inventory's own plugins."""
        try:
            listed = self.inventory.plugins
        except InventoryError as error:
            listed = error.inventory.plugins if error.inventory else ()
        except ConfigError:
            listed = ()
        return Registry(more=(*beside_tasks, *map(Path, listed)))

    @cached_property
    def inventory(self) -> Inventory:
        """What is wanted. Raises ConfigError."""
        found = self._source.load()
        refuse_twins(found, same)
        for message in found.warnings:
            self._warn("inventory", message)
        return found

    @cached_property
    def wanted(self) -> tuple[Wanted, ...]:
        """Every placement, resolved by its type. Raises InventoryError with every mistake at once."""
        with mistakes_of_types_too(self.registry):
            return desire(self.inventory, self.registry)

    @property
    def store(self) -> Store:
        """What is remembered, opened when first needed. Raises StoreError."""
        from llmstack.store import open_store

        if self._store is None:
            self._store = open_store(self.settings.store, os.environ, who=_who)
            if self._store.notice:
                self._warn("store", self._store.notice)
        return self._store

    def _warn(self, task: str, message: str) -> None:
        self.sink.emit(Event(ts=self.clock.now(), type=EventType.WARNING, task=task, message=message))

    def _pick(self, selection: Selection) -> tuple[Picked, ...]:
        """What is meant. Raises NoMatchError."""
        return pick(self.wanted, self._with_hosts(selection), dependencies=False)

    def _with_hosts(self, selection: Selection) -> Selection:
        """With the names of hosts in place of their patterns. Raises NoMatchError."""
        if not selection.hosts:
            return selection
        from llmstack.inventory import hosts_matching

        hosts = (host for pattern in selection.hosts for host in hosts_matching(self.inventory, pattern))
        return replace(selection, hosts=tuple(dict.fromkeys(hosts)))

    def context(self, task: str, *, wait: bool = True) -> Context:
        """A run's context. Raises StoreError for a store that was named where none can be."""
        _refuse_no_file(self.settings.store)
        timeout_s, began = self.settings.timeout_s, self.clock.monotonic()
        wanted = self._wanted_or_none()
        return Context(
            task=task,
            engine_of=self.engines.get,
            clock=self.clock,
            sink=self.sink,
            gpus=self.gpus,
            wanted={item.target: item for item in wanted},
            hosts=self.inventory.hosts if wanted else {},
            stack=self.inventory.stack if wanted else None,
            forks=self.settings.forks,
            wait=wait,
            began=began,
            promised=fixed_ports(wanted),
            deadline=self._deadline or (None if timeout_s is None else began + timeout_s),
            proved=lambda target: self._told(lambda store: next(iter(store.versions(target)), None)),
        )

    def _told(self, ask: Callable[[Store], T]) -> T | None:
        """What the store knows; a plan needs no store."""
        with suppress(StoreError):
            return ask(self.store)
        return None

    def _wanted_or_none(self) -> tuple[Wanted, ...]:
        try:
            return self.wanted
        except NoInventoryError:
            return ()

    def _explained(self, there: Instance) -> Instance:
        """An adopted container with what the store knows of its end: stopped by us it may look as if it had crashed."""
        if there.state is not State.CRASHED:
            return there
        from llmstack.core.fate import judged

        for row in self._told(lambda store: store.models()) or ():
            if (row.host, row.container_name) == (there.host, there.container_name):
                return judged(there, row)
        return there

    def _observe(
        self, picked: Sequence[Picked], context: Context, *, facts: bool = True, everywhere: bool = False
    ) -> Observed:
        """What is there of what is picked; `everywhere` asks hosts too on which nothing is wanted any more."""
        wanted = [item.wanted for item in picked]
        places = places_of(wanted)
        if everywhere:
            known = {(host.name, host.engine): host for host in self.inventory.hosts.values()}
            places = distinct(places | known, places_of(self.wanted), same)
        rows, errors = self._ask(places, context)
        for host, kind in errors.keys() - places_of(wanted):
            context.warn(f"{host} was not asked: {errors[host, kind].message}")
        rows = (*rows, *map(self._explained, adopted(wanted, self.engines.get, errors, context.forks)))
        observed = sort_out(rows, errors)
        if facts:
            more, _ = self._ask(elsewhere(wanted, observed, KINDS), context)
            observed = with_facts(picked, sort_out((*rows, *more), errors), context)
        return observed

    def _ask(
        self, places: Mapping[Place, Host], context: Context
    ) -> tuple[tuple[Instance, ...], Mapping[Place, LlmstackError]]:
        return observe(places, self.engines.get, self.inventory.stack, context.forks)

    def _orphans(self, observed: Observed, hosts: Sequence[str] = ()) -> tuple[Instance, ...]:
        """Instances of the stack whose service the inventory does not have on that host; on `hosts`, if any are
        named."""
        known = {item.target for item in self.wanted}
        lost = (row for row in observed.rows() if row.target not in known and (not hosts or row.host in hosts))
        return tuple(sorted(lost, key=lambda row: row.target))


def _refuse_no_file(store: str | None) -> None:
    """Who only looks goes without a store, but is told of a place that was meant to be one."""
    place = Path(store or "").expanduser().absolute()
    there = next(path for path in (place, *place.parents) if path.exists())
    fits = there.is_file() if there == place else there.is_dir()
    if store and store != ":memory:" and not fits:
        raise StoreError(f"no file can be the store at {store}", "set LLMSTACK_STORE to a file in a folder of yours")


def _who() -> Who:
    """Who runs this process, and which one it is."""
    from llmstack.engines.holder import me

    return replace(who(), process=me())
