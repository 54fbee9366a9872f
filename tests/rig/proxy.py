"""A relay in front of an engine's Unix socket: it notes every call, and kills a process at one that writes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Literal, NamedTuple

WRITES = ("POST", "PUT", "DELETE", "PATCH")
BODILESS = (204, 304)
SWITCHING = 101
PIECE = 64 * 1024
When = Literal["before", "within", "after"]


@dataclass(frozen=True)
class Call:
    """One request; `path` without the API's version and the query."""

    method: str
    path: str

    @property
    def writes(self) -> bool:
        """Whether it may change something: the engine reads by GET and HEAD alone."""
        return self.method in WRITES

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Point:
    """The `nth` write call (from 1): `before` the engine gets it, `within` its work on it, or `after` its answer."""

    nth: int
    when: When

    def __str__(self) -> str:
        return f"{self.when} write {self.nth}"


class Side(NamedTuple):
    """One end of a connection, and what it sends."""

    sock: socket.socket
    file: BufferedReader


class Proxy:
    """Relays to the socket `target` until it is closed. `calls` is what was asked, oldest first."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._folder = Path(tempfile.mkdtemp(prefix="llmstack-proxy-"))
        self.calls: list[Call] = []
        self.killed_at: Call | None = None
        self._kill: tuple[int, Point, int] | None = None
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        self._closed = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / "docker.sock"))
        self._listener.listen(64)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self._folder}/docker.sock"

    @property
    def writes(self) -> list[Call]:
        """The calls that write."""
        return [call for call in self.calls if call.writes]

    def kill(self, pid: int, point: Point) -> None:
        """SIGKILL process `pid` at `point`, counted from now on; no answer reaches it there."""
        with self._guard:
            self._kill, self.killed_at = (pid, point, len(self.writes)), None

    def forget(self) -> None:
        """An empty log, and nobody to be killed."""
        with self._guard:
            self.calls, self._kill, self.killed_at = [], None, None

    def close(self) -> None:
        """Cut every connection and end."""
        with self._guard:
            self._closed = True
            for one in (self._listener, *self._open):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        """One connection, request after request; the engine is only called when something is asked."""
        with contextlib.suppress(OSError), self._side(client) as asker:
            if not (head := read_head(asker.file)):
                return
            with self._side(socket.socket(socket.AF_UNIX)) as engine:
                engine.sock.connect(str(self._target))
                while head and self._relay(head, asker, engine):
                    head = read_head(asker.file)

    @contextmanager
    def _side(self, sock: socket.socket) -> Iterator[Side]:
        """Known to `close` while it is open."""
        with sock, sock.makefile("rb") as file:
            with self._guard:
                if self._closed:
                    raise ConnectionError
                self._open.add(sock)
            try:
                yield Side(sock, file)
            finally:
                with self._guard:
                    self._open.discard(sock)

    def _relay(self, head: bytes, asker: Side, engine: Side) -> bool:
        """One request and its answer; whether the connection goes on."""
        call = call_of(head)
        doomed = self._note(call)
        if doomed is not None and doomed.when == "before":
            return self._strike(call)
        engine.sock.sendall(head)
        for piece in body(asker.file, head, request=True):
            engine.sock.sendall(piece)
        if doomed is not None and doomed.when == "within":
            return self._strike(call)
        answer = read_head(engine.file)
        status = int(answer.split()[1])
        if status == SWITCHING:
            return _splice(answer, asker, engine)
        bodiless = call.method == "HEAD" or status in BODILESS
        pieces = iter(()) if bodiless else body(engine.file, answer)
        if doomed is not None:
            list(pieces)
            return self._strike(call)
        asker.sock.sendall(answer)
        for piece in pieces:
            asker.sock.sendall(piece)
        return bodiless or is_framed(answer)

    def _note(self, call: Call) -> Point | None:
        """The point that this call is, if somebody is to be killed there."""
        with self._guard:
            self.calls.append(call)
            if self._kill is None or not call.writes:
                return None
            _, point, before = self._kill
            return point if len(self.writes) - before == point.nth else None

    def _strike(self, call: Call) -> bool:
        with self._guard:
            assert self._kill
            os.kill(self._kill[0], signal.SIGKILL)
            self._kill, self.killed_at = None, call
        return False


def read_head(file: BufferedReader) -> bytes:
    """A request's or an answer's lines up to the empty one; empty when the other side has hung up."""
    lines = bytearray()
    while line := file.readline():
        lines += line
        if line == b"\r\n":
            return bytes(lines)
    return b""


def call_of(head: bytes) -> Call:
    """The call that a request's head makes."""
    method, target, _ = head.decode("latin-1").split(" ", 2)
    path = target.partition("?")[0]
    version, _, rest = path.lstrip("/").partition("/")
    return Call(method, f"/{rest}" if version[:1] == "v" and version[1:2].isdigit() else path)


def is_framed(head: bytes) -> bool:
    """Whether the other side can tell where the body ends."""
    return length_of(head) is not None or is_chunked(head)


def length_of(head: bytes) -> int | None:
    """Its Content-Length."""
    value = _header(head, b"content-length")
    return int(value) if value is not None else None


def is_chunked(head: bytes) -> bool:
    """Whether its body comes in chunks."""
    return (_header(head, b"transfer-encoding") or b"").lower() == b"chunked"


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


def body(file: BufferedReader, head: bytes, *, request: bool = False) -> Iterator[bytes]:
    """The body as it comes, framing included; without a length an answer lasts until the connection ends."""
    length = length_of(head)
    if is_chunked(head):
        yield from _chunks(file)
    elif length is not None:
        yield from _exactly(file, length)
    elif not request:
        while piece := file.read1(PIECE):
            yield piece


def _chunks(file: BufferedReader) -> Iterator[bytes]:
    size = -1
    while size:
        line = file.readline()
        if not line:
            raise ConnectionError("cut off between two chunks")
        size = int(line.split(b";")[0], 16)
        yield line
        yield from _exactly(file, size + 2)


def _exactly(file: BufferedReader, size: int) -> Iterator[bytes]:
    while size:
        piece = file.read1(min(size, PIECE))
        if not piece:
            raise ConnectionError("cut off within a body")
        size -= len(piece)
        yield piece


def _splice(answer: bytes, asker: Side, engine: Side) -> bool:
    """An upgraded connection: bytes both ways until both sides have ended."""
    asker.sock.sendall(answer)
    back = threading.Thread(target=_pour, args=(engine, asker), daemon=True)
    back.start()
    _pour(asker, engine)
    back.join()
    return False


def _pour(source: Side, target: Side) -> None:
    with contextlib.suppress(OSError):
        while piece := source.file.read1(PIECE):
            target.sock.sendall(piece)
        target.sock.shutdown(socket.SHUT_WR)
