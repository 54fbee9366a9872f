"""Published ports of a host on this machine's own loopback, for a user who may not enter the host's network."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

LOOK_AGAIN_S, CHUNK = 0.05, 65536


@contextmanager
def relayed(published: Callable[[], set[int]], door: Path) -> Iterator[None]:
    """Until the block ends, each port of `published()` is open on 127.0.0.1.

    `door` is a socket of the host: who writes a port's number and a new line is connected to the host's 127.0.0.1:PORT.
    """
    done = threading.Event()
    thread = threading.Thread(target=_follow, args=(published, door, done))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _follow(published: Callable[[], set[int]], door: Path, done: threading.Event) -> None:
    """Open and close listeners as containers come and go; an engine that does not answer changes nothing."""
    listeners: dict[int, _Listener] = {}
    wanted: set[int] = set()
    while not done.wait(LOOK_AGAIN_S):
        with contextlib.suppress(OSError, docker.errors.DockerException):
            wanted = published()
        for port in listeners.keys() - wanted:
            listeners.pop(port).end()
        for port in wanted - listeners.keys():
            listeners[port] = _Listener(port, door)
    for listener in listeners.values():
        listener.end()


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, door: Path) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.door = door
        threading.Thread(target=self.serve_forever, args=(LOOK_AGAIN_S,), daemon=True).start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    server: _Listener

    def handle(self) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as far:
            far.connect(str(self.server.door))
            far.sendall(f"{self.server.server_address[1]}\n".encode())
            back = threading.Thread(target=_pump, args=(far, self.request), daemon=True)
            back.start()
            _pump(self.request, far)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Copy until one of them ends, and tell the other."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
