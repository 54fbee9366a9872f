"""Readers of streamed answers: lines of JSON, server-sent events, and a reader that never waits for ever."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from llmstack.clients.replies import error_of, server_error
from llmstack.protocols import Clock

LINE_LIMIT_BYTES = 1 << 16

Item = TypeVar("Item")
Leaving = Callable[[Callable[[], object]], None]


def lines(pieces: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Lines with their newline; a last one may lack it. Raises ServerError for one above 64 KiB."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if max(map(len, (*whole, rest))) > LINE_LIMIT_BYTES:
            raise server_error("protocol", f"{what} sent a line above {LINE_LIMIT_BYTES >> 10} KiB")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


def ndjson(pieces: Iterable[bytes], what: str) -> Iterator[dict[str, Any]]:
    """One object a line. A line with `error` inside a stream of status 200 raises ServerError(kind="server")."""
    for line in lines(pieces, what):
        if line.strip():
            yield _event(line, what, whole=line.endswith(b"\n"))


def sse(pieces: Iterable[bytes], what: str, clock: Clock, idle_s: float) -> Iterator[dict[str, Any]]:
    """Events of an OpenAI-like stream up to `[DONE]`.

    A comment keeps the connection open and is no progress: `idle_s` without an event raises kind="timeout". The end of
    the stream without `[DONE]` and without a finish_reason raises kind="cut": Ollama ends like this when its runner
    was killed.
    """
    finished = False
    last_event_s = clock.monotonic()
    for line in lines(pieces, what):
        field, _, value = line.rstrip(b"\r\n").partition(b":")
        if field != b"data":
            if clock.monotonic() - last_event_s > idle_s:
                raise server_error("timeout", f"{what} sent nothing but comments for {idle_s:.0f} s")
            continue
        if value.strip() == b"[DONE]":
            return
        event = _event(value, what, whole=line.endswith(b"\n"))
        finished = finished or any(choice.get("finish_reason") for choice in choices(event))
        last_event_s = clock.monotonic()
        yield event
    if not finished:
        raise server_error("cut", f"{what}: the answer ended without [DONE] and without a finish_reason")


def choices(event: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices of an event; events with usage figures have none."""
    found = event.get("choices")
    return [choice for choice in found if isinstance(choice, dict)] if isinstance(found, list) else []


def _event(data: bytes, what: str, *, whole: bool) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        kind = "protocol" if whole else "cut"
        raise server_error(kind, f"{what} sent no JSON object", data.decode("utf-8", "replace"))
    if "error" in event:
        text, _ = error_of(event) or (str(event["error"]), "")
        raise server_error("server", f"{what} failed", text)
    return event


def ticking(source: Callable[[Leaving], Iterator[Item]], tick_s: float) -> Generator[Item | None, None, None]:
    """Items of `source`, and None whenever `tick_s` seconds passed without one; errors of `source` are raised here.

    `source` runs in a thread of its own, as a socket whose time-out was hit cannot be read any further. It is given a
    function that takes what to call when the consumer leaves, so that a silent connection does not outlive it.
    """
    feed = _Feed[Item]()
    threading.Thread(target=feed.fill, args=(source,), name="llmstack-stream", daemon=True).start()
    try:
        while True:
            try:
                item = feed.items.get(timeout=tick_s)
            except queue.Empty:
                yield None
                continue
            if isinstance(item, _End):
                if item.error:
                    raise item.error
                return
            yield item
    finally:
        feed.leave()


class _End:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Feed(Generic[Item]):
    """What the thread of `ticking` shares with its consumer."""

    def __init__(self) -> None:
        self.items: queue.Queue[Item | _End] = queue.Queue(maxsize=1024)
        self.left = threading.Event()
        self._farewells: list[Callable[[], object]] = []

    def on_leave(self, farewell: Callable[[], object]) -> None:
        self._farewells.append(farewell)
        if self.left.is_set():
            farewell()

    def leave(self) -> None:
        self.left.set()
        for farewell in self._farewells:
            farewell()

    def fill(self, source: Callable[[Leaving], Iterator[Item]]) -> None:
        end = _End()
        try:
            for item in source(self.on_leave):
                self._put(item)
                if self.left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            end = _End(error)
        self._put(end)

    def _put(self, item: Item | _End) -> None:
        while not self.left.is_set():
            with suppress(queue.Full):
                self.items.put(item, timeout=1)
                break
