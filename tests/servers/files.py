"""A server of one file, with ranges, that misbehaves as told: stalls, resets, cuts, wrong bytes, redirects."""

from __future__ import annotations

import http.server
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class FileServer:
    """`body` under every path. `faults` are taken one by one by requests for more than a byte: `reset` or `stall` or
    `cut` after `after` bytes, `refuse` with 503, `wrong` bytes. `pages` answer paths of their own. `asked` holds each
    request's path and headers."""

    body: bytes
    etag: str | None = '"one"'
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    length: int | None = None
    status: int = 200
    faults: list[str] = field(default_factory=list)
    after: int = 1 << 16
    pace_bytes_per_s: float | None = None
    redirects: dict[str, str] = field(default_factory=dict)
    linked: dict[str, str] = field(default_factory=dict)
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    before: Callable[[FileServer], None] = lambda _: None
    url: str = ""

    @property
    def ranges_asked(self) -> list[str | None]:
        """Of each request for bytes; the first, for one byte alone, left out."""
        return [headers.get("range") for _, headers in self.asked if headers.get("range") != "bytes=0-0"]


@contextmanager
def serving(server: FileServer) -> Iterator[FileServer]:
    """Serve until the block ends."""
    handler = type("Handler", (_Handler,), {"file": server})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        httpd.daemon_threads = True
        server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
        thread = threading.Thread(target=lambda: httpd.serve_forever(0.02))
        thread.start()
        try:
            yield server
        finally:
            httpd.shutdown()
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    file: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = {name.lower(): value for name, value in self.headers.items()}
        self.file.asked.append((self.path, asked))
        self.file.before(self.file)
        if page := self.file.pages.get(self.path.partition("?")[0]):
            status, headers, body = page
            self._head(status, {"Content-Length": str(len(body)), **headers})
            if self.command != "HEAD":
                self.wfile.write(body)
            return
        if target := self.file.redirects.get(self.path):
            self._head(302, {"Location": target, "Content-Length": "0", **self.file.linked})
            return
        one = asked.get("range") == "bytes=0-0"
        fault = self.file.faults.pop(0) if self.file.faults and not one else ""
        if self.file.status != 200 or fault == "refuse":
            self._head(self.file.status if self.file.status != 200 else 503, {"Content-Length": "0"})
            return
        self._send(asked, fault)

    do_HEAD = do_GET

    def _send(self, asked: dict[str, str], fault: str) -> None:
        body = bytes(len(self.file.body)) if fault == "wrong" else self.file.body
        headers = {**({"ETag": self.file.etag} if self.file.etag else {}), **self.file.headers}
        told = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.get("range", ""))
        fresh = asked.get("if-range") in (None, self.file.etag, self.file.headers.get("Last-Modified"))
        start, status = 0, 200
        if told and self.file.ranges and fresh:
            start, status = int(told[1]), 206
            end = int(told[2]) if told[2] else len(body) - 1
            headers.setdefault("Content-Range", f"bytes {start}-{end}/{len(body)}")
            body = body[start : end + 1]
        self._head(status, {"Content-Length": str(self.file.length or len(body)), **headers})
        self._body(body, fault)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True

    def _body(self, body: bytes, fault: str) -> None:
        try:
            if fault in ("reset", "stall", "cut"):
                self.wfile.write(body[: self.file.after])
                self._spoil(fault)
            elif self.file.pace_bytes_per_s:
                for at in range(0, len(body), 1 << 14):
                    self.wfile.write(body[at : at + (1 << 14)])
                    time.sleep((1 << 14) / self.file.pace_bytes_per_s)
            else:
                self.wfile.write(body)
        except OSError:
            return

    def _spoil(self, fault: str) -> None:
        if fault == "stall":
            self.connection.settimeout(20)
            self.connection.recv(1)  # until the other side hangs up
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        return
