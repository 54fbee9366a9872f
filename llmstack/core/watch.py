"""Keep the store true while things happen: two threads per place, one that listens and one that looks.

What an engine tells is only a reason to look; what differs is told by the same comparison as `sync`. So nothing can be
missed for good: where a stream broke off, was too full, or we slept, a look at everything tells what it did not.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from llmstack.core.context import Context
from llmstack.core.fate import ENDED, since_start
from llmstack.core.observe import Place, places_of
from llmstack.core.report import Told
from llmstack.core.select import Picked
from llmstack.domain.event import Event, EventType
from llmstack.domain.happening import Happening, What
from llmstack.domain.host import Host
from llmstack.domain.instance import State
from llmstack.domain.report import Difference, Fate, SyncReport
from llmstack.domain.stored import StoredModel
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError
from llmstack.protocols import Ledger

TURN_S = 1.0
"""What is about to change by itself (a server that loads) is looked at so often."""
WHOLE_S = 60.0
"""Everything is looked at so often, whatever was told."""
SLEPT_S = 3.0
"""A turn that took so long means that this process was stopped, and an engine does not wait for who does not listen."""
FULL = 256
"""As many happenings as an engine keeps for who comes back: more may have been lost."""
SETTLE_S, FEW = 0.1, 4
"""An end that is not one of many is looked at so much later: a removal or a restart may belong to it."""
ENDS = (What.STOPPED, What.DIED)
END_S = 5.0

Look = Callable[[Sequence[Picked], Told, bool], SyncReport]
"""Makes the store true for some placements, or for a whole place, and says what differed."""


def watch(picked: Sequence[Picked], look: Look, context: Context, memory: Ledger) -> Iterator[Event | None]:
    """What `look` finds from now on, as it happens, each noted in `memory` before, and None at first and after a turn
    without; endless. Raises what `look` raises, and DeadlineError."""
    out = SimpleQueue[Event | BaseException]()
    hosts = places_of(item.wanted for item in picked)
    keepers = [
        _Keeper(
            place=place,
            host=host,
            mine=[item for item in picked if (item.wanted.target.host, item.wanted.engine) == place],
            beside=[item for item in picked if item.wanted.external and item.wanted.target.host == place[0]],
            look=look,
            context=context,
            memory=memory,
            say=out.put,
        )
        for place, host in hosts.items()
    ]
    try:
        for keeper in keepers:
            keeper.start()
        yield None  # what is noted from now on is told
        while True:
            told = None
            with contextlib.suppress(Empty):
                told = out.get(timeout=TURN_S)
            if isinstance(told, BaseException):
                raise told
            yield told
            context.check()
    finally:
        for keeper in keepers:
            keeper.stop()


@dataclass(kw_only=True)
class _Keeper:
    """Keeps what is remembered of one place true; `mine` is wanted there, `beside` are its host's external services."""

    place: Place
    host: Host
    mine: Sequence[Picked]
    beside: Sequence[Picked]
    look: Look
    context: Context
    memory: Ledger
    say: Callable[[Event | BaseException], None]
    inbox: SimpleQueue[Happening | None] = field(default_factory=SimpleQueue)
    told: dict[tuple[str, str], tuple[What, ...]] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)
    orphans: set[Target] = field(default_factory=set)
    trouble: str = ""
    over: bool = False
    since: float = 0.0

    def __post_init__(self) -> None:
        self.looker = threading.Thread(target=self._keep, name=f"look {self.place[0]}", daemon=True)
        self.known = self._rows()  # what others note from now on is news

    def start(self) -> None:
        """Listen, and look."""
        threading.Thread(target=self._listen, name=f"listen {self.place[0]}", daemon=True).start()
        self.looker.start()

    def stop(self) -> None:
        """Look no more; who listens hears the end when the engine is closed."""
        self.over = True
        self.inbox.put(None)
        self.looker.join(END_S)

    def _listen(self) -> None:
        with contextlib.suppress(LlmstackError):
            for happening in self.context.engine_of(self.host, self.place[1]).events():
                self.inbox.put(happening)
                if self.over:
                    return
        self.inbox.put(None)  # this place has no engine: the look says why

    def _keep(self) -> None:
        clock, looked_at, turned_at = self.context.clock, float("-inf"), self.context.clock.now()
        try:
            while not self.over:
                self.since, turned_at, began = turned_at, clock.now(), clock.monotonic()
                heard = self._hear()
                now = clock.monotonic()
                lost = None in heard or len(heard) >= FULL or now - began >= SLEPT_S
                whole = lost or now - looked_at >= WHOLE_S
                concerned = self.again | self._concerned(heard, lost=lost)
                names = concerned | self._unsettled()
                if self.over:
                    return
                if whole:
                    self._report(self.look([*self.mine, *self.beside], self.told, True))
                    looked_at = now
                elif some := [item for item in self.mine if item.wanted.container_name in names]:
                    self._report(self.look(some, self.told, False))
                self.again = concerned if self.memory.at_work(self.place[0], self.since) else set()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self.say(error)

    def _hear(self) -> list[Happening | None]:
        """All that was told meanwhile; waits for a turn when there is nothing."""
        heard, wait_s = [], TURN_S
        with contextlib.suppress(Empty):
            while True:
                one = self.inbox.get(timeout=wait_s)
                heard.append(one)
                wait_s = SETTLE_S if one and one.what in ENDS and len(heard) <= FEW else 0.0
        return heard

    def _concerned(self, heard: Sequence[Happening | None], *, lost: bool) -> set[str]:
        """Whom it is about, and note what was told of them; where some of it is lost, an end is no word on who asked
        for it."""
        names = set()
        for one in heard:
            if one:
                names.add(one.container_name)
                if lost and one.what is What.DIED:
                    continue
                key = (self.place[0], one.container_name)
                self.told[key] = since_start(self.told.get(key, ()), (one.what,))
                if one.what is What.REMOVED:
                    del self.told[key]
        return names

    def _rows(self) -> dict[tuple[str, str], StoredModel]:
        rows = (row for row in self.memory.models() if (row.host, row.engine) == self.place)
        return {(row.container_name, row.name): row for row in rows}

    def _unsettled(self) -> set[str]:
        """What is on its way: no engine tells when a server has loaded."""
        return {row.container_name for row in self._rows().values() if row.state in (State.STARTING, State.LOADING)}

    def _report(self, found: SyncReport) -> None:
        for one in (*found.differences, *self._noted(found)):
            if one.reason is not Fate.ORPHAN or one.target not in self.orphans:
                self._emit(EventType.CHANGE, one.engine, one.target, one)
        self.orphans |= {one.target for one in found.differences if one.reason is Fate.ORPHAN}
        trouble = "; ".join(error.message for error in found.errors)
        if trouble != self.trouble:
            self.trouble = trouble
            self._emit(EventType.WARNING, trouble or f"{self.place[0]} can be asked again")

    def _noted(self, found: SyncReport) -> Iterator[Difference]:
        """What a run of ours, or another watcher, has noted since the last look, so that nothing differs any more."""
        told, before, rows = {str(one.target) for one in found.differences}, self.known, self._rows()
        self.known = rows
        for row in rows.values():
            target, now = Target(row.name, row.host), _noted_as(row)
            was = _noted_as(before.get((row.container_name, row.name), row))
            begins = (was[0], now[0]) == ("removed", "stopped")  # created, and not yet started
            if was != now and not begins and str(target) not in told:
                run = self.memory.at_work(row.host, self.since)
                text = now[0] + (f" by run {run.id} ({run.task})" if run else ", as others have noted")
                fate = Fate.STOPPED if row.state in ENDED else Fate.RUNS
                yield Difference(target=target, store=row.status, engine=text, action="recorded", reason=fate)

    def _emit(
        self, type_: EventType, message: str, target: Target | None = None, difference: Difference | None = None
    ) -> None:
        data = {"difference": difference} if difference else {}
        event = Event(self.context.clock.now(), type_, self.context.task, target, message, data)
        self.memory.record(None, event)
        self.say(event)


def _noted_as(row: StoredModel) -> tuple[str, str, bool | None]:
    """PURE: what of a row is worth telling, a word for it first."""
    gone = row.state is State.ABSENT
    word = "removed" if gone else "stopped" if row.state in ENDED else "started"
    return word, row.status, row.stopped_on_purpose if gone else None
