"""The model files of hosts: which there are, who uses them, whether they are sound, and the removal of the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from llmstack.core.desired import Wanted
from llmstack.core.facts import remembered
from llmstack.core.fetching import followed
from llmstack.core.locks import held
from llmstack.core.observe import Place, in_parallel
from llmstack.core.rounds import Rounds, all_lost
from llmstack.core.twins import SameAs
from llmstack.domain.instance import Instance
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.progress import Progress
from llmstack.domain.stock import Kept, Stock
from llmstack.domain.weights import ModelFile, Shelf
from llmstack.errors import FetchError
from llmstack.modeltype.folder import Folder

User = tuple[str, Callable[[ModelFile], bool]]
"""Its name, and what it uses."""
TOLD_EVERY_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights(Rounds):
    """Places that `same` makes equal are one."""

    same: SameAs

    def look(self) -> Stock:
        """What there is, host by host."""
        found, lost = self.asked(self._there)
        return Stock(items=tuple(chain.from_iterable(found.values())), lost=lost)

    def verify(self) -> tuple[Outcome, ...]:
        """Read every file, and compare its digest with the one that it came with."""
        found = self.look()
        outcomes = in_parallel(self._verified, list(found.items), self.context.forks)
        return (*outcomes, *all_lost(found.lost))

    def prune(self, found: Stock) -> tuple[Outcome, ...]:
        """Take away what was found, unless somebody uses it by now; each place under its lock."""
        by_place: dict[Place, set[ModelFile]] = {}
        for item in found.items:
            by_place.setdefault((item.host, item.engine), set()).add(item.file)
        parts = in_parallel(lambda item: tuple(self._clear(*item)), list(by_place.items()), self.context.forks)
        return (*(outcome for part in parts for outcome in part), *all_lost(found.lost))

    def _clear(self, place: Place, chosen: set[ModelFile]) -> Iterator[Outcome]:
        with held({place: self.places[place]}, self.context, self._stack, self.lock_wait_s) as refused:
            for item in self._there(place) if not refused else ():
                if item.file in chosen:
                    yield self.tried(item.target, partial(self._drop, item))
        yield from all_lost(refused)

    def _drop(self, item: Kept) -> Outcome:
        if item.used_by:
            return Outcome(target=item.target, status=Status.OK, reason=f"kept: {item.used_by[0]} uses it by now")
        self._shelf((item.host, item.engine)).drop(item.file)
        return Outcome(target=item.target, status=Status.CHANGED, reason="removed")

    def _verified(self, item: Kept) -> Outcome:
        return self.tried(item.target, partial(self._check, item))

    def _check(self, item: Kept) -> Outcome:
        file, digest, read_bytes = item.file, hashlib.sha256(), 0
        report = followed(partial(self.context.report, item.target), self.context.clock)
        if file.sha256 is None:
            return Outcome(target=item.target, status=Status.SKIPPED, reason="not whole yet")
        if file.broken:
            what = f"{file.path} on {item.host} is broken: {file.found_bytes} of its {file.size_bytes} bytes are there"
            raise FetchError(what, "`llmstack pull` brings it again; weights.prune takes what is unused", kind="cut")
        for chunk in self._shelf((item.host, item.engine)).read(file):
            digest.update(chunk)
            before, read_bytes = read_bytes, read_bytes + len(chunk)
            if read_bytes // TOLD_EVERY_BYTES > before // TOLD_EVERY_BYTES:
                report(Progress(file.path, "checking", read_bytes, file.size_bytes))
        report(Progress(file.path, "checked", read_bytes, file.size_bytes, done=True))
        if digest.hexdigest() != file.sha256:
            what = f"{file.path} on {item.host} is damaged: its sha256 is {digest.hexdigest()}, not {file.sha256}"
            raise FetchError(what, _repair(item), kind="digest")
        return Outcome(target=item.target, status=Status.OK, reason="its digest is right")

    def _there(self, place: Place) -> tuple[Kept, ...]:
        host, engine = place
        files = self._shelf(place).files()
        users = self._users(place, self.engine(place).observe(None)) if files else ()
        return tuple(Kept(host=host, engine=engine, file=file, used_by=used_by(file, users)) for file in files)

    def _users(self, place: Place, there: Sequence[Instance]) -> tuple[User, ...]:
        mine = self.same(self.places[place], place[1])
        near = [item for item in self.context.wanted.values() if item.engine == place[1]]
        wanted = [remembered(item, self.context) for item in near if self.same(item.placement.host, place[1]) == mine]
        return (*map(by_instance, there), *map(by_inventory, wanted))

    def _shelf(self, place: Place) -> Shelf:
        return self.engine(place).shelf(self._stack) or Folder()

    @property
    def _stack(self) -> str:
        return self.context.stack or ""


def used_by(file: ModelFile, users: Sequence[User]) -> tuple[str, ...]:
    """PURE: the names of those who use it, each once."""
    return tuple(dict.fromkeys(name for name, uses in users if uses(file)))


def by_instance(there: Instance) -> User:
    """PURE: what an instance uses, running or not; of one that cannot be read, perhaps everything."""
    if there.spec is None:
        return f"{there.container_name} (written by another llmstack)", lambda _: True
    weights = there.spec.weights
    name = f"{there.stack}/{there.service}"
    return name, lambda file: weights is not None and weights.fingerprint == file.fingerprint


def by_inventory(wanted: Wanted) -> User:
    """PURE: what a placement needs, also one that cannot run as it is."""
    sources = {model.source for model in wanted.placement.models}
    weights = wanted.spec.weights if wanted.spec else None
    name = f"{wanted.target.name} of the inventory"
    return name, lambda file: (weights and weights.fingerprint == file.fingerprint) or file.source in sources


def _repair(item: Kept) -> str:
    way = f"rm -r {item.file.fingerprint} there" if item.where == "folder" else "docker volume rm llmstack-weights"
    return f"take it away, then fetch it again: llmstack down, {way}, llmstack up"
