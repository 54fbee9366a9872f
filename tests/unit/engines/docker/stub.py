"""An engine in a few lines, for what the engines of the rig do not do: old, new, foreign, slow and damaged answers."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


@dataclass
class Stub:
    """Answers by the first route whose `METHOD /path` pattern fits; `seen` holds every request."""

    path: Path
    headers: dict[str, str] = field(default_factory=lambda: {"Api-Version": "1.51", "Server": "Docker/28.5.2"})
    routes: list[tuple[str, int, bytes]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)
    before: Callable[[str], None] = lambda request: None

    @property
    def address(self) -> str:
        return f"unix://{self.path}"

    def on(self, pattern: str, status: int, body: Any = None) -> None:
        """Add a route; `body` is JSON-ready, or bytes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.routes.insert(0, (pattern, status, raw))

    def refuse(self, pattern: str, status: int, message: str) -> None:
        """Add a route that refuses as the engine does."""
        self.on(pattern, status, {"message": message})

    def answer(self, request: str) -> tuple[int, bytes]:
        self.seen.append(request)
        self.before(request)
        for pattern, status, body in self.routes:
            if re.search(pattern, request):
                return status, body
        return (200, b"OK") if "/_ping" in request else (404, b'{"message": "page not found"}')


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128
    stub: Stub


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def reply(self) -> None:
        stub = self.server.stub  # type: ignore[attr-defined]
        stub.bodies.append(self.body())
        status, body = stub.answer(f"{self.command} {self.path}")
        self.send_response_only(status)
        chunked = status == 200 and self.command != "HEAD"
        length = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))
        for name, value in (*stub.headers.items(), length):
            self.send_header(name, value)
        self.end_headers()
        if chunked:
            body = (f"{len(body):x}\r\n".encode() + body + b"\r\n" if body else b"") + b"0\r\n\r\n"
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = reply


@contextmanager
def serving(path: Path) -> Iterator[Stub]:
    """Run a stub on a Unix socket at `path`."""
    stub = Stub(path)
    with Server(str(path), Handler) as server:
        server.stub = stub
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield stub
        finally:
            stub.hang.set()
            server.shutdown()
            thread.join()
