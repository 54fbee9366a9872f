"""What happens to containers, as the engine tells it; a stream that breaks off is begun anew."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from llmstack.domain.happening import Happening, What
from llmstack.engines.docker.wire import Wire
from llmstack.engines.labels import STACK
from llmstack.errors import LlmstackError

SILENCE_S = 60.0
"""A stream that says nothing for so long is asked for anew: nobody tells that it is cut."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0

WHATS = {
    "create": What.CREATED,
    "start": What.STARTED,
    "stop": What.STOPPED,
    "kill": What.STOPPED,
    "die": What.DIED,
    "died": What.DIED,
    "oom": What.OUT_OF_MEMORY,
    "destroy": What.REMOVED,
    "remove": What.REMOVED,
    "rename": What.OTHER,
    "pause": What.OTHER,
    "unpause": What.OTHER,
}
"""By the engine's word; Podman has some of its own. Floods (`exec_start`, `health_status`) are left out over there."""
FILTERS = json.dumps({"type": ["container"], "event": sorted(WHATS)})
ENDING = ("", "2", "3", "9", "15")
"""Signals that ask a program to end; any other `kill` is a message."""


def follow(wire: Wire, over: threading.Event) -> Iterator[Happening | None]:
    """Everything that happens until `over`; None where more may have happened than was told.

    A new stream begins at the engine's own time of the last thing that was told: this machine's clock may be another.
    """
    since, told, pause_s = "", set[tuple[Any, ...]](), FIRST_PAUSE_S
    while not over.is_set():
        with contextlib.suppress(LlmstackError):
            since = since or str(int(wire.now()))
            with wire.doing("follow its events", timeout_s=SILENCE_S) as api:
                stream = api.listen("/events", {"since": since, "filters": FILTERS})
                if over.is_set():
                    return
                pause_s = FIRST_PAUSE_S
                yield None
                for event in stream:
                    since, key = cursor(event) or since, _key(event)
                    if key not in told:
                        told = {one for one in told if one[0] == key[0]} | {key}
                        yield from happenings(event)
        if not over.is_set():
            yield None
        over.wait(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def starved(wire: Wire, container_id: str) -> bool:
    """Whether memory ran out in a container, as far as the engine's memory of events reaches back."""
    wanted = {
        "filters": json.dumps({"container": [container_id], "event": ["oom"]}),
        "since": "0",
        "until": str(int(wire.now()) + 1),
    }
    with wire.doing("ask what happened to a container") as api:
        return any(True for _ in api.listen("/events", wanted))


def cursor(event: Mapping[str, Any]) -> str | None:
    """PURE: the engine's own time of an event, as `since` takes it; None where it tells none."""
    nanoseconds = event.get("timeNano")
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09}" if isinstance(nanoseconds, int) else None


def happenings(event: Mapping[str, Any]) -> Iterator[Happening]:
    """PURE: what an event tells, of both names for a rename."""
    facts = _facts(event)
    what = WHATS.get(str(event.get("Action")), What.OTHER)
    if event.get("Action") == "kill" and str(facts.get("signal", "")) not in ENDING:
        what = What.OTHER
    for name in filter(None, (facts.get("name"), facts.get("oldName"))):
        yield Happening(str(name).lstrip("/"), what, facts.get(STACK))


def _facts(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return (event.get("Actor") or {}).get("Attributes") or {}


def _key(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """A new stream tells again what happened at the moment at which it begins."""
    return event.get("timeNano"), (event.get("Actor") or {}).get("ID"), event.get("Action")
