"""Servers and clocks that the client tests share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from llmstack.clients.http import Http
from llmstack.clients.ollama import Ollama
from llmstack.errors import ServerError
from llmstack.testing.clock import FakeClock
from tests.servers import replay
from tests.servers.ollama_replay import Replay
from tests.servers.wire import Recorded


class Hurrying(FakeClock):
    """Each look at it moves it on by `step_s`."""

    def __init__(self, step_s: float) -> None:
        super().__init__()
        self.step_s = step_s

    def monotonic(self) -> float:
        self.advance(self.step_s)
        return super().monotonic()


class Spy(Http):
    """The real thing, which also notes how long each request may stay silent."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url)
        self.waits: list[tuple[str, float | None]] = []

    def _open(self, method: str, path: str, body: Any, timeout_s: float | None) -> Any:
        self.waits.append((path, timeout_s))
        return super()._open(method, path, body, timeout_s)


@pytest.fixture
def ollama() -> Iterator[Replay]:
    with replay.ollama() as server:
        yield server


@pytest.fixture
def recorded() -> Iterator[Callable[[str], str]]:
    """`recorded("ollama/version")` is the URL of a server that answers everything with that exchange."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(replay.only(replay.RECORDINGS / f"{name}.json")).url


@pytest.fixture
def saying() -> Iterator[Callable[..., replay.Said]]:
    """A server that says raw bytes; `body=` wraps a JSON body, `status=` is its line."""

    def start(raw: bytes = b"", *, status: str = "200 OK", body: object = None, then_close: bool = True) -> replay.Said:
        text = body if isinstance(body, str) else json.dumps(body)
        whole = raw or f"HTTP/1.1 {status}\r\nContent-Length: {len(text.encode())}\r\n\r\n{text}".encode()
        return stack.enter_context(replay.saying(whole, then_close=then_close))

    with ExitStack() as stack:
        yield start


def chunks(name: str) -> list[str]:
    """The recorded pieces of a body."""
    exchange = json.loads(Path(replay.RECORDINGS / f"{name}.json").read_text())
    return [chunk["text"] for chunk in exchange["response"]["chunks"]]


@pytest.fixture
def client(ollama: Replay) -> Ollama:
    return Ollama(ollama.url, tick_s=0.01)


def pull(client: Ollama, *names: str) -> None:
    for name in names:
        client.pull(name, lambda progress: None)


def kind(call: Callable[[], object]) -> str:
    """Of the ServerError that a call raises."""
    with pytest.raises(ServerError) as caught:
        call()
    return caught.value.kind


def asked(server: Recorded) -> list[tuple[str, Any]]:
    """Path and JSON body of each request so far."""
    return [(path, body) for _, path, body in server.requests]
