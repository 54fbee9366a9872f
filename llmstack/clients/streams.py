"""Readers of streamed answers: lines of JSON and server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from llmstack.clients.replies import error_of, server_error
from llmstack.protocols import Clock

LINE_LIMIT_BYTES = 1 << 16


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
