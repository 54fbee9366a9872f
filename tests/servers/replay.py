"""Starts replay servers for tests: in a thread, or as a process of their own."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.servers.ollama_replay import Replay
from tests.servers.wire import Recorded

RECORDINGS = Path(__file__).parent.parent / "recordings"
OLLAMA, LLAMA_SERVER = RECORDINGS / "ollama", RECORDINGS / "llama-server"
PROGRAM = Path(__file__).parent / "ollama_replay.py"


@contextmanager
def ollama(**options: Any) -> Iterator[Replay]:
    """A replaying Ollama in a thread of this process; options are those of `Replay`."""
    with serving(Replay(OLLAMA, **options)) as server:
        yield server


@contextmanager
def only(recording: Path, **options: Any) -> Iterator[Recorded]:
    """A server that answers every request with one recorded exchange."""
    with serving(Recorded(recording.parent, only=recording, **options)) as server:
        yield server


@contextmanager
def process(*args: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The replay server as a process on a free port: it and its base URL. Killed at the end."""
    with start("--port", "0", *args, **env) as server:
        try:
            assert server.stderr is not None
            found = re.search(r"Listening on ([\d.:]+)", server.stderr.readline())
            assert found is not None
            yield server, f"http://{found[1]}"
        finally:
            server.kill()


def start(*args: str, **env: str) -> subprocess.Popen[str]:
    """The replay server as a process; the caller ends it."""
    argv = [sys.executable, str(PROGRAM), *args]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=os.environ | env)


@contextmanager
def resetting() -> Iterator[str]:
    """A port that accepts and resets, like one that Docker publishes while nobody listens behind it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_reset_all, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def saying(answer: bytes, *, then_close: bool = True) -> Iterator[Said]:
    """A server that says these bytes on each connection; see `Said` for what it heard."""
    said = Said()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=said.run, args=(listener, answer, then_close), daemon=True).start()
        yield said
        listener.shutdown(socket.SHUT_RDWR)


class Said:
    """`heard` holds the head of each request, `left` is set when a client closed its side."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[str] = []
        self.left = threading.Event()

    def run(self, listener: socket.socket, answer: bytes, then_close: bool) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self.heard.append(_request(connection))
                connection.sendall(answer)
                if not then_close:
                    self._wait_for_the_end(connection)

    def _wait_for_the_end(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while connection.recv(65536):
                pass
        self.left.set()


def _request(connection: socket.socket) -> str:
    """Head and body, as far as the client's Content-Length tells."""
    data = connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return (head + b"\r\n\r\n" + body).decode("utf-8", "replace")


def closed_port() -> str:
    """The URL of a port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def _reset_all(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


@contextmanager
def serving(server: Recorded) -> Iterator[Any]:
    """Runs a server in a thread of this process."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
