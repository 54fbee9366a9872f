"""Examine everything a start needs, and change nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from llmstack.core import findings
from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.observe import Observed, Place, in_parallel
from llmstack.domain.apart import apart
from llmstack.domain.checkup import Finding, Verdict, trouble
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.host import Host
from llmstack.domain.instance import Need
from llmstack.domain.resources import AUTO
from llmstack.errors import LlmstackError, NoInventoryError
from llmstack.modeltype.registry import Registry

RESOLVE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """`places` are the engines to ask, `wanted` what stands in the inventory, `observed` what is there of it; `proxy`
    is what this machine's own programs go through."""

    context: Context
    places: Mapping[Place, Host]
    wanted: Sequence[Wanted]
    observed: Observed
    proxy: str | None = None

    def findings(self) -> Iterator[Finding]:
        """Engines first, then for each what the instances there need."""
        context, needed = self.context, {(item.target.host, item.engine) for item in self.wanted}
        answers = dict(zip(self.places, in_parallel(self._ask, list(self.places), context.forks), strict=True))
        for place, (answer, now) in answers.items():
            yield from findings.engine(_name(place), answer, needed=place in needed, now=now)
        gpus = context.gpus.gpus()
        wanting = [str(item.target) for item in self.wanted if item.placement.host.local and _wants_gpu(item)]
        yield findings.gpus(gpus, context.gpus.reason, wanting)
        for place, (answer, _) in answers.items():
            if not isinstance(answer, LlmstackError):
                yield from self._place(place, answer, there=bool(gpus))
        yield from self._starts()

    def _ask(self, place: Place) -> tuple[EngineFacts | LlmstackError, float]:
        """What it says, and when."""
        clock = self.context.clock
        before = clock.now()
        try:
            facts = self.context.engine_of(self.places[place], place[1]).facts()
        except LlmstackError as error:
            return error, before
        return facts, (before + clock.now()) / 2

    def _place(self, place: Place, facts: EngineFacts, *, there: bool) -> Iterator[Finding]:
        """Of one engine; GPUs that are `there` are this machine's."""
        items = [item for item in self.wanted if (item.target.host, item.engine) == place]
        needs = [need for item in items for need in self._needs(item)]
        if place[1] == "docker":
            wanted = any(map(_wants_gpu, items))
            yield from findings.runtime(_name(place), facts, wanted=wanted, there=there and facts.local)
        if items:
            yield findings.disk(_name(place), facts, needs)
        if facts.local:
            resolved = _resolved(findings.registries(needs))
            yield from findings.names(_name(place), resolved, facts, self.proxy)

    def _needs(self, item: Wanted) -> Iterator[Need]:
        """What is to be fetched for it, also what was refused because it has no room."""
        facts = self.observed.told(item.target)
        yield from facts.needs
        size_bytes = facts.broken.data.get("needed_bytes") if facts.broken else None
        if isinstance(size_bytes, int):
            yield Need(kind="model", name=str(item.target), size_bytes=size_bytes)

    def _starts(self) -> Iterator[Finding]:
        """What keeps something from starting, and the ports of what is not there yet."""
        free = []
        for item in self.wanted:
            broken = self.observed.told(item.target).broken or (None if item.off else item.error)
            if not broken and item.spec and item.spec.host_port and self._is_to_come(item):
                try:
                    self.context.engine(item).check_port(item.spec)
                    free.append(item.spec.host_port)
                except LlmstackError as error:
                    broken = error
            if broken:
                yield trouble("start", str(item.target), broken)
        if free:
            yield findings.ports(free)

    def _is_to_come(self, item: Wanted) -> bool:
        asked = (item.target.host, item.engine) not in self.observed.errors
        return asked and not item.off and not self.observed.find(item)


def told(check: str, tell: Callable[[], str]) -> Finding:
    """What `tell` says of something of llmstack's own, or why it cannot."""
    try:
        return Finding(check, "llmstack", Verdict.OK, tell())
    except NoInventoryError as error:
        return trouble(check, "llmstack", error, verdict=Verdict.WARNING)
    except LlmstackError as error:
        found = trouble(check, "llmstack", error)
        return found if found.fix else replace(found, fix=f"llmstack {check}")


def plugins(registry: Registry) -> Iterator[Finding]:
    """Whether each can be loaded."""
    good = []
    for name in registry.names():
        try:
            registry.get(name)
            good.append(name)
        except LlmstackError as error:
            yield trouble("plugins", "llmstack", error)
    yield Finding("plugins", "llmstack", Verdict.OK, ", ".join(good))


def _name(place: Place) -> str:
    """`localhost` for its Docker, `localhost process` for the embedded engine."""
    host, kind = place
    return host if kind == "docker" else f"{host} {kind}"


def _wants_gpu(item: Wanted) -> bool:
    return bool(item.spec and item.spec.resources.gpus not in ((), (AUTO,)) and not item.off)


def _resolved(names: Sequence[str]) -> dict[str, bool]:
    """Name -> whether it has an address; one that is not told in time has none."""
    asked = {name: apart(partial(socket.getaddrinfo, name, 443), "resolve") for name in names}
    return {name: _told(answer) for name, answer in asked.items()}


def _told(answer: Future[Any]) -> bool:
    with suppress(OSError, UnicodeError):  # a time-out is one, too
        return bool(answer.result(RESOLVE_S))
    return False
