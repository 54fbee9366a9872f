"""The relay through which crash tests look and kill: it passes everything on, counts right, and strikes in time."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.desk import until
from tests.rig.proxy import Call, Point, Proxy

WRITER = """
import http.client, socket, sys
wire = http.client.HTTPConnection("d")
wire.sock = socket.socket(socket.AF_UNIX)
wire.sock.connect(sys.argv[1])
for n in range(1, 4):
    wire.request("GET", "/look")
    wire.getresponse().read()
    wire.request("POST", f"/v1.41/write/{n}?a=b", body=b"x" * 100000)
    print(wire.getresponse().read().decode(), flush=True)
"""


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers in all the ways that a Docker engine does."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.path, self.written = path, list[str]()
        super().__init__(str(path), Answers)

    def handle_error(self, *_: object) -> None:
        """Whoever asked was killed."""


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def address_string(self) -> str:
        return "a test"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if self.path == "/chunks":
            self._head(200, ("Transfer-Encoding", "chunked"))
            for piece in (b"one", b"two" * 50_000):
                self.wfile.write(b"%x;note=1\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/until-the-end":
            self._head(200, ("Connection", "close"))
            self.wfile.write(b"all of it")
            self.close_connection = True
        else:
            self._whole(b"seen")

    def do_HEAD(self) -> None:
        self._head(200, ("Content-Length", "4"))

    def do_DELETE(self) -> None:
        self.server.written.append(self.path)
        self._head(204)

    def do_PUT(self) -> None:
        size = 0
        while chunk := int(self.rfile.readline(), 16):
            size += len(self.rfile.read(chunk + 2)) - 2
        self.rfile.readline()
        self._whole(str(size).encode())

    def do_POST(self) -> None:
        if self.path == "/attach":
            self._head(101, ("Connection", "Upgrade"), ("Upgrade", "tcp"))
            self.wfile.write(self.rfile.readline().upper())
            self.close_connection = True
            return
        got = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.written.append(self.path)
        self._whole(b"wrote %d" % len(got))

    def _whole(self, text: bytes) -> None:
        self._head(200, ("Content-Length", str(len(text))))
        self.wfile.write(text)

    def _head(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine.sock") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(engine: Engine) -> Iterator[Proxy]:
    with contextlib.closing(Proxy(engine.path)) as relay:
        yield relay


def connected(proxy: Proxy) -> socket.socket:
    wire = socket.socket(socket.AF_UNIX)
    wire.settimeout(20)
    wire.connect(proxy.address.removeprefix("unix://"))
    return wire


def asker(proxy: Proxy) -> http.client.HTTPConnection:
    asking = http.client.HTTPConnection("d")
    asking.sock = connected(proxy)
    return asking


def ask(asking: http.client.HTTPConnection, method: str, path: str, **more: object) -> bytes:
    asking.request(method, path, **more)  # type: ignore[arg-type]
    return asking.getresponse().read()


def test_every_kind_of_call_comes_through_on_one_connection_and_is_noted(proxy: Proxy) -> None:
    asking = asker(proxy)
    assert ask(asking, "GET", "/v1.51/containers/json?all=1") == b"seen"
    assert ask(asking, "HEAD", "/v1.41/containers/a/archive") == b""
    assert ask(asking, "PUT", "/archive", body=iter([b"a" * 70_000, b"b"]), encode_chunked=True) == b"70001"
    assert ask(asking, "DELETE", "/containers/a") == b""
    assert ask(asking, "GET", "/chunks") == b"one" + b"two" * 50_000
    assert ask(asking, "POST", "/v1.41/containers/create", body=b"{}") == b"wrote 2"
    assert ask(asking, "GET", "/until-the-end") == b"all of it"
    asking.close()
    assert [str(call) for call in proxy.calls] == [
        "GET /containers/json",
        "HEAD /containers/a/archive",
        "PUT /archive",
        "DELETE /containers/a",
        "GET /chunks",
        "POST /containers/create",
        "GET /until-the-end",
    ]
    assert [call.method for call in proxy.writes] == ["PUT", "DELETE", "POST"]


def test_a_knock_is_no_call_and_an_upgrade_goes_both_ways(proxy: Proxy) -> None:
    connected(proxy).close()
    with connected(proxy) as wire, wire.makefile("rb") as answers:
        wire.sendall(b"POST /attach HTTP/1.1\r\nUpgrade: tcp\r\n\r\nhello\n")
        assert answers.read().endswith(b"\r\n\r\nHELLO\n")
    assert proxy.calls == [Call("POST", "/attach")]


@pytest.mark.parametrize(("when", "reached"), [("before", 1), ("within", 2), ("after", 2)])
def test_a_process_is_killed_at_its_second_write(engine: Engine, proxy: Proxy, when: Any, reached: int) -> None:
    with contextlib.closing(asker(proxy)) as asking:
        ask(asking, "DELETE", "/earlier")
    path = proxy.address.removeprefix("unix://")
    reading, writing = os.pipe()  # the process waits until it is known who is to be killed
    waits = f"import os; os.read({reading}, 1)\n"
    with subprocess.Popen(
        [sys.executable, "-c", waits + WRITER, path], stdout=subprocess.PIPE, text=True, pass_fds=[reading]
    ) as doomed:
        proxy.kill(doomed.pid, Point(2, when))
        os.write(writing, b".")
        out, _ = doomed.communicate(timeout=60)
    os.close(reading)
    os.close(writing)
    assert (doomed.returncode, out) == (-9, "wrote 100000\n")
    until(lambda: len(engine.written) == 1 + reached)
    assert engine.written[1:] == ["/v1.41/write/1?a=b", "/v1.41/write/2?a=b"][:reached]
    assert proxy.killed_at == Call("POST", "/write/2")
    proxy.forget()
    assert (proxy.calls, proxy.killed_at) == ([], None)


def test_closing_cuts_whoever_still_waits(engine: Engine) -> None:
    with contextlib.closing(Proxy(engine.path)) as proxy:
        asking = asker(proxy)
        assert ask(asking, "GET", "/look") == b"seen"
    assert asking.sock is not None
    assert asking.sock.recv(1) == b""
    assert not Path(proxy.address.removeprefix("unix://")).exists()
    asking.close()
