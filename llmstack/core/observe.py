"""Ask every host at once what runs there; a host that cannot be reached is a result, not an exception."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field, replace
from typing import TypeVar

from llmstack.core.desired import Wanted
from llmstack.domain.apart import apart
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance, Need
from llmstack.domain.server import Liveness, ServedModel
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError
from llmstack.protocols import Engine

Place = tuple[str, str]
"""(host name, engine kind)"""

EngineOf = Callable[[Host, str], Engine]

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K", bound=Hashable)

PREVIOUS = ".prev"
"""Ends the name of an instance while it is being replaced; no service's name holds a dot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found out about one placement (and `models`, about others than itself), or about one model.

    `served` are the models of a running server (None where it does not answer), `life` is how an external service
    looks, `needs` what must be fetched before a start, `broken` why a start cannot succeed, `copies` the volumes that
    were left behind, `pins` what means just the image that an instance was made from, `newest` the one that there is
    of it now; what is stateful is `settled` once it has been used for so long that its data count. `weights` is the
    source of its model file where an update or a rollback decided on that, `volumes` the copies in force of those that
    it names (`InstanceSpec.volume_name`), `by_hand` what was changed of what runs
    (asked only by who just looks).
    """

    served: tuple[ServedModel, ...] | None = None
    life: Liveness | None = None
    needs: tuple[Need, ...] = ()
    broken: LlmstackError | None = None
    copies: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    newest: str | None = None
    weights: str | None = None
    volumes: str = ""
    settled: bool = False
    by_hand: str = ""
    models: Mapping[Target, Facts] = field(default_factory=dict)


NOTHING = Facts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What is there. `instances` is keyed by service@host and engine; `errors` by place that could not be asked.
    `previous` holds what an interrupted replace left under its `.prev` name; it stands in `instances` too where there
    is nothing else.
    `facts` is what was found out beside it about each placement, and about models.
    """

    instances: Mapping[tuple[Target, str], Instance] = field(default_factory=dict)
    previous: Mapping[tuple[Target, str], Instance] = field(default_factory=dict)
    errors: Mapping[Place, LlmstackError] = field(default_factory=dict)
    facts: Mapping[Target, Facts] = field(default_factory=dict)
    _of: Mapping[Target, list[Instance]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        of: dict[Target, list[Instance]] = {}
        for row in self.rows():
            of.setdefault(row.target, []).append(row)
        object.__setattr__(self, "_of", of)

    def told(self, target: Target) -> Facts:
        """What was found out about a placement or model."""
        return self.facts.get(target, NOTHING)

    def of(self, wanted: Wanted) -> Sequence[Instance]:
        """Every instance of a placement, on whatever engine."""
        return self._of.get(wanted.target, ())

    def find(self, wanted: Wanted) -> Instance | None:
        """The instance of a placement, on the engine where it is wanted."""
        return self.instances.get((wanted.target, wanted.engine))

    def rows(self) -> tuple[Instance, ...]:
        """Every instance, each once."""
        everything = (*self.instances.values(), *self.previous.values())
        return tuple({(row.host, row.engine, row.container_name): row for row in everything}.values())


def sort_out(rows: Iterable[Instance], errors: Mapping[Place, LlmstackError]) -> Observed:
    """PURE: what is there, by what it is for."""
    by_age: tuple[dict[tuple[Target, str], Instance], ...] = ({}, {})
    for row in rows:
        by_age[row.container_name.endswith(PREVIOUS)][row.target, row.engine] = row
    now, before = by_age
    return Observed(instances=before | now, previous=before, errors=errors)


def places_of(wanted: Iterable[Wanted]) -> dict[Place, Host]:
    """Every (host, engine) that something is wanted on."""
    return {(item.target.host, item.engine): item.placement.host for item in wanted if not item.external}


def elsewhere(wanted: Iterable[Wanted], found: Observed, kinds: Iterable[str]) -> dict[Place, Host]:
    """PURE: where else to look for what is not where it is wanted: it may have moved from one engine to another."""
    lost = [item for item in wanted if not item.external and found.find(item) is None]
    return {
        (item.target.host, kind): item.placement.host
        for item in lost
        for kind in kinds
        if kind != item.engine and (item.target.host, item.engine) not in found.errors
    }


def observe(
    places: Mapping[Place, Host], engine_of: EngineOf, stack: str | None, forks: int
) -> tuple[tuple[Instance, ...], dict[Place, LlmstackError]]:
    """All instances of `stack` on all places, asked in parallel, and the places that could not be asked."""
    answers, lost = asked(lambda place: engine_of(places[place], place[1]).observe(stack), places, forks)
    return tuple(row for answer in answers.values() for row in answer), lost


def adopted(
    wanted: Iterable[Wanted], engine_of: EngineOf, errors: Mapping[Place, LlmstackError], forks: int
) -> tuple[Instance, ...]:
    """The containers of somebody else that are looked after, each under the name of its service."""
    items = [item for item in wanted if item.adopted and (item.target.host, item.engine) not in errors]

    def ask(item: Wanted) -> Instance | None:
        there = engine_of(item.placement.host, item.engine).inspect(item.container_name or "")
        return replace(there, service=item.target.name) if there else None

    return tuple(filter(None, in_parallel(ask, items, forks)))


def asked(ask: Callable[[K], R], items: Iterable[K], forks: int) -> tuple[dict[K, R], dict[K, LlmstackError]]:
    """The answers of all, asked in parallel, and why some gave none."""

    def tried(item: K) -> tuple[R, ...] | LlmstackError:
        try:
            return (ask(item),)
        except LlmstackError as error:
            return error

    keys = list(items)
    answers = dict(zip(keys, in_parallel(tried, keys, forks), strict=True))
    lost = {key: answer for key, answer in answers.items() if isinstance(answer, LlmstackError)}
    return {key: answer[0] for key, answer in answers.items() if not isinstance(answer, LlmstackError)}, lost


def in_parallel(work: Callable[[T], R], items: list[T], forks: int) -> list[R]:
    """`work` on every item, at most `forks` at once; the calling thread works too, so that one item needs no other."""
    rest, done = iter(enumerate(items)), dict[int, R]()

    def drain() -> None:
        for place, item in rest:
            done[place] = work(item)

    others = [apart(drain, "parallel") for _ in range(min(forks, len(items)) - 1)]
    try:
        drain()
    finally:
        tuple(rest)  # after a failure nothing more is begun
        futures.wait(others)
    for other in others:
        other.result()
    return [done[place] for place in range(len(items))]
