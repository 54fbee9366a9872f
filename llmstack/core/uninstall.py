"""What is left of a stack, or of all of them, and its removal: each stack under its lock, what they share at last."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from llmstack.core.locks import held
from llmstack.core.observe import Place, in_parallel
from llmstack.core.rounds import Rounds, all_lost
from llmstack.domain.leftover import Leftover, LeftoverKind, Remains, Remnant
from llmstack.domain.names import LOCK
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninstall(Rounds):
    """Of `stack` (None: of all)."""

    stack: str | None
    files: Sequence[Leftover] = ()

    def look(self) -> Remains:
        """What there is, by host, and what could not be asked."""
        found, lost = self.asked(self._left)
        files = [Remnant(host="localhost", engine=None, leftover=each) for each in self.files]
        unknown = dict.fromkeys(host for host, engine in self.places if (host, engine) not in found)
        asked = dict.fromkeys(host for host, _ in found if host not in unknown)
        items = (*chain.from_iterable(found.values()), *files)
        return Remains(items=items, lost=lost, asked=tuple(asked), unknown=tuple(unknown))

    def remove(self, found: Remains) -> tuple[Outcome, ...]:
        """Take away what was found. Files go last, and stay if anything else does: they know what is there."""
        by_place: dict[Place, list[Leftover]] = {}
        for item in found.items:
            if item.engine:
                by_place.setdefault((item.host, item.engine), []).append(item.leftover)
        parts = in_parallel(lambda item: tuple(self._clear(*item)), list(by_place.items()), self.context.forks)
        outcomes = [*(outcome for part in parts for outcome in part), *all_lost(found.lost)]
        if not any(outcome.error for outcome in outcomes):
            outcomes += [self._gone("localhost", each, delete) for each in self.files]
        return tuple(outcomes)

    def _left(self, place: Place) -> Iterator[Remnant]:
        found = self.engine(place).leftovers(self.stack)
        return (Remnant(host=place[0], engine=place[1], leftover=each) for each in found)

    def _clear(self, place: Place, found: Sequence[Leftover]) -> Iterator[Outcome]:
        """Stack by stack, then what they share: asked anew, since locks need an image too."""
        stacks = sorted({each.stack for each in found if each.stack})
        outcomes = [one for stack in stacks for one in self._clear_stack(place, stack, found)]
        yield from outcomes
        if self.stack is None and not any(outcome.error for outcome in outcomes):
            engine = self.engine(place)
            shared = [each for each in engine.leftovers(None) if each.stack is None]
            yield from (self._gone(place[0], each, engine.discard) for each in shared)

    def _clear_stack(self, place: Place, stack: str, found: Sequence[Leftover]) -> Iterator[Outcome]:
        """Under its lock. That of a container engine goes when it is let go of, a file of it stays and goes after."""
        discard = self.engine(place).discard
        mine = [each for each in found if each.stack == stack]
        stays: dict[LeftoverKind, LlmstackError] = {}
        with held({place: self.places[place]}, self.context, stack, self.lock_wait_s) as refused:
            error = refused.get(place)
            for each in mine if error else [each for each in mine if each.what != LOCK]:
                outcome = self._gone(place[0], each, discard, error or stays.get(each.kind))
                if each.kind is LeftoverKind.CONTAINER and outcome.error:
                    stays[LeftoverKind.NETWORK] = outcome.error  # it could not be started again without
                yield outcome
        if not error:
            yield from [self._gone(place[0], each, discard) for each in mine if each.kind is LeftoverKind.FILE]

    def _gone(
        self, host: str, each: Leftover, discard: Callable[[Leftover], None], refused: LlmstackError | None = None
    ) -> Outcome:
        target, done = Target(each.name, host), f"{each.kind.value}, {each.what}: removed"

        def step() -> Outcome:
            if refused:
                raise refused
            discard(each)
            return Outcome(target=target, status=Status.CHANGED, reason=done)

        return self.tried(target, step)


def delete(each: Leftover) -> None:
    """A file, or a folder with all that is in it. Raises LlmstackError for a disk that does not let it go."""
    path = Path(each.name)
    try:
        if each.kind is LeftoverKind.FOLDER and path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        what = f"cannot delete {error.filename or path}: {error.strerror}"
        raise LlmstackError(what, "look at its rights") from error


def on_disk(kind: LeftoverKind, path: Path, what: str) -> Iterator[Leftover]:
    """The leftover at a path, if there is one."""
    if path.exists():
        files = path.rglob("*") if kind is LeftoverKind.FOLDER else (path,)
        size = sum(file.lstat().st_size for file in files if not file.is_dir())
        yield Leftover(kind, str(path), what, None, size)
