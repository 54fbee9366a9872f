"""`-o ndjson`: what happens, one JSON object per line, as it happens; the last one is the recap."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmstack.domain.event import Event
    from llmstack.protocols import Sink

Record = Mapping[str, Any]
_SEQ = count(1)


class Lines:
    """A Sink that hands each event to `write` as a line, from any thread."""

    def __init__(self, task: str | None, write: Callable[[str], None]) -> None:
        self._task, self._write = task, write
        self._told: set[str] = set()
        self._run: str | None = None
        self._items = 0
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        """Write one event."""
        facts: dict[str, Any] = event.target.as_json() if event.target else {}
        for value in event.data.values():
            facts |= value.as_json() if hasattr(value, "as_json") else {}
        self._run = event.run or self._run
        if event.type == "result":
            self._told.add(str(event.target))
        self.put(event.type, {"message": event.message, **facts}, event.ts)

    def put(self, type_: str, facts: Record, ts: float | None = None) -> None:
        """Write one line of any type; facts of its own win over those of the run."""
        from llmstack.domain.event import rfc3339

        moment = rfc3339(time.time() if ts is None else ts)
        with self._lock:
            order = {"v": 1, "seq": next(_SEQ), "type": type_}
            record = {**order, "ts": moment, "run": self._run, "task": self._task, **facts, **order}
            self._items += type_ == "item"
            self._write(json.dumps(record, default=str) + "\n")

    def finish(self, document: Record) -> None:
        """Write the items that no event has told, and the recap."""
        items, ran = document["items"], document["kind"] == "run"
        for item in items:
            if not (ran and item["target"] in self._told):
                self.put("result" if ran else "item", item)
        hosts: dict[str, Counter[str]] = {}
        for item in items if ran else ():
            hosts.setdefault(item["host"], Counter())[item["status"]] += 1
        self.put("recap", {**document, "items": len(items) if ran else self._items, "hosts": hosts})


class Listeners:
    """A Sink in front of the `screen` and `others`; it gathers the `texts` of warnings, which a `quiet` screen does not
    show."""

    def __init__(self, screen: Sink, *others: Sink, texts: list[str], quiet: bool) -> None:
        self._screen, self._others, self._texts, self._quiet = screen, others, texts, quiet

    def emit(self, event: Event) -> None:
        """Tell them."""
        warned = event.type == "warning"
        self._texts += [event.message] if warned else []
        for sink in self._others if warned and self._quiet else (self._screen, *self._others):
            sink.emit(event)
