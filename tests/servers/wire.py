"""Answers as they were recorded: status, headers, chunks, pace and the way they end.

The format is that of tests/recordings/README.md. Standard library alone.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NoReturn


class Cut(Exception):
    """The connection ends here, without a last chunk."""


class Recorded(ThreadingHTTPServer):
    """Serves recordings of a folder; `only` names the one file that answers every request.

    `speed` scales the recorded waits, 0 leaves them out. `requests` keeps what was asked: method, path, JSON body.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        recordings: str | Path,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 0.0,
        only: str | Path | None = None,
        handler: type[Wire] | None = None,
        log: Callable[[str], object] = lambda line: None,
    ) -> None:
        super().__init__((host, port), handler or Wire)
        self.recordings, self.speed, self.log = Path(recordings), speed, log
        self.only = json.loads(Path(only).read_text()) if only else None
        self.stopping = threading.Event()
        self.requests: list[tuple[str, str, Any]] = []
        self.take = lru_cache(None)(lambda name: json.loads((self.recordings / f"{name}.json").read_text()))

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the game."""


class Wire(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Recorded

    def do(self) -> None:
        start, self.status = time.time(), 0
        try:
            self.body_text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            with suppress(ValueError):
                self.server.requests.append((self.command, self.path, json.loads(self.body_text or "{}")))
            self.replay(self.server.only) if self.server.only else self.route(self.path.split("?")[0])
        except (Cut, OSError):
            self.close_connection = True
        spent, when = f"{(time.time() - start) * 1e3:.3f}ms", time.strftime("%Y/%m/%d - %H:%M:%S")
        client = f"{self.client_address[0]:>15} | {self.command:8}"
        self.server.log(f'[GIN] {when} | {self.status:3d} | {spent:>13} | {client} "{self.path}"')

    do_GET = do_POST = do_DELETE = do_HEAD = do

    def log_message(self, *_: Any) -> None:
        """Logged in `do`."""

    def route(self, path: str) -> None:
        """Answer; here only `only` is served."""
        raise Cut

    def replay(
        self,
        recording: Mapping[str, Any],
        text: str | None = None,
        words: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        speed: float | None = None,
        *,
        hang: bool = False,
        before_last: Callable[[], None] | None = None,
    ) -> None:
        """Send it; `text` replaces the body, `words` words of it; `hang` repeats the line before the last for ever;
        `before_last` is called ahead of the last chunk."""
        answer = recording.get("response")
        if answer is None:
            return self.hold() if "timeout" in recording["error"] else self.reset()
        chunks = [dict(chunk) for chunk in answer["chunks"]] if text is None else [{"t_ms": 0, "text": text}]
        for old, new in (words or {}).items():
            for chunk in chunks:
                chunk["text"] = chunk["text"].replace(old, json.dumps(new)[1:-1])
        pace, clock_ms = self.server.speed if speed is None else speed, answer["headers_t_ms"]
        self.pause(clock_ms * pace / 1e3)
        chunked = self.start(answer, chunks, headers or {})
        if self.command == "HEAD":
            return None
        for chunk in endless(chunks) if hang else chunks:
            self.pause(max(chunk["t_ms"] - clock_ms, 0) * pace / 1e3 if "again" not in chunk else 0.02)
            clock_ms = chunk["t_ms"]
            if before_last and chunk is chunks[-1]:
                before_last()
            data = chunk["text"].encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)
        return self.end(answer, chunked)

    def start(self, answer: Mapping[str, Any], chunks: list[dict[str, Any]], headers: Mapping[str, str]) -> bool:
        """Status and headers; true when chunks follow."""
        self.status = answer["status"]
        kept = {k: v for k, v in answer["headers"].items() if k not in ("Date", "Content-Length")} | headers
        chunked = "Transfer-Encoding" in kept
        if not chunked:
            length = sum(len(chunk["text"].encode()) for chunk in chunks)
            kept["Content-Length"] = answer["headers"].get("Content-Length", "0") if self.command == "HEAD" else length
        self.send_response_only(answer["status"], answer["reason"])
        for key, value in kept.items():
            self.send_header(key, str(value))
        self.send_header("Date", self.date_time_string())
        self.end_headers()
        return chunked

    def end(self, answer: Mapping[str, Any], chunked: bool) -> None:
        """As it ended: in good order, cut, or with nothing more."""
        if answer["ended"] == "timeout":
            self.hold()
        if answer["ended"] == "cut":
            raise Cut
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def hold(self) -> NoReturn:
        """Say nothing more until the client goes away."""
        while True:
            self.pause(0.05)

    def reset(self) -> NoReturn:
        """What a client of a published port sees while nobody listens behind it."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise Cut

    def pause(self, wait_s: float) -> None:
        """Wait; raises Cut when the client went away or the server stops."""
        until = time.monotonic() + wait_s
        while True:
            if self.server.stopping.is_set():
                raise Cut
            if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                raise Cut
            left = until - time.monotonic()
            if left <= 0:
                return
            self.server.stopping.wait(min(left, 0.05))


def endless(chunks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All but the last line, then the one before it again and again."""
    yield from chunks[:-1]
    while True:
        yield {**chunks[-2], "again": True}


def text_of(recording: Mapping[str, Any]) -> str:
    """The whole body."""
    return "".join(chunk["text"] for chunk in recording["response"]["chunks"])
