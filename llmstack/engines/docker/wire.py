"""The way to one engine: a client per thread, its API version, and the one place where refusals become our errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from llmstack.engines.docker.address import Address
from llmstack.errors import LlmstackError, UnreachableError

if TYPE_CHECKING:
    from llmstack.engines.docker.client import Client

OLDEST, NEWEST = (1, 41), (1, 51)
"""API versions: Docker 20.10, and the newest that is tested."""
AT_ONCE = (1, 44)
"""Docker 25."""
PODMAN, GIVES_GPUS = "Libpod/", (5, 5)

LOOK_S, WRITE_S = 10.0, 120.0
"""Longest silence of an engine that is asked, and of one that works."""

THEIRS = ("docker", "requests", "urllib3", "http")


class Wire:
    """Connections to the engine at `address`; `host` is its name in messages, `version` the API's that was agreed on
    by the first call."""

    def __init__(self, address: Address, host: str) -> None:
        self.address = address
        self.host = host
        self._server = ""
        self.version: str | None = None
        self._mine = threading.local()
        self._all: list[Client] = []
        self._lock = threading.Lock()

    @property
    def podman(self) -> bool:
        """Whether Podman answers there."""
        if self.version is None:
            with self.doing("connect"):
                pass
        return self._server.startswith(PODMAN)

    @property
    def ignores_gpus(self) -> bool:
        """Whether a container gets no GPU there, and starts all the same: Podman before 5.5."""
        version = ".".join(self._server.removeprefix(PODMAN).split(".")[:2]) if self.podman else ""
        return (numbers(version) or GIVES_GPUS) < GIVES_GPUS

    @property
    def samples_at_once(self) -> bool:
        """Whether a single sample of a container's figures is answered without waiting for the engine's own clock."""
        return self.podman or (numbers(self.version or "") or OLDEST) >= AT_ONCE

    @contextmanager
    def doing(
        self, what: str, *, timeout_s: float = LOOK_S, otherwise: type[LlmstackError] = LlmstackError
    ) -> Iterator[Client]:
        """The calling thread's client; what it raises inside the block becomes an LlmstackError saying `what`."""
        try:
            client = self._client()
            client.timeout = timeout_s
            yield client
        except LlmstackError:
            raise
        except Exception as error:  # docker-py, requests and urllib3 share no base class
            if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in THEIRS:
                raise
            raise self._refusal(what, error, otherwise) from error

    def now(self) -> float:
        """The engine's clock, in whole seconds since the epoch: the same for every controller."""
        with self.doing("ask for the time") as api:
            return parsedate_to_datetime(_ping(api)["Date"]).timestamp()

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            for client in self._all:
                client.close()
            self._all.clear()
            self._mine = threading.local()

    def _client(self) -> Client:
        client: Client | None = getattr(self._mine, "client", None)
        if client is None:
            from llmstack.engines.docker.client import Client

            client = Client(self.address, self.version or text(OLDEST))
            if self.version is None:
                self.version = self._negotiate(client)
                client.speak(self.version)
            client.podman = self._server.startswith(PODMAN)
            self._mine.client = client
            with self._lock:
                self._all.append(client)
        return client

    def _negotiate(self, client: Client) -> str:
        headers = _ping(client)
        self._server = headers.get("Server", "")
        server = numbers(headers.get("Api-Version", ""))
        if server is None:
            raise UnreachableError(
                f"what answers at {self.address.origin} is no Docker engine", "check DOCKER_HOST and the docker context"
            )
        if server <= NEWEST:
            return text(clamp(server, None))
        minimum = client.raw("GET", "/version", versioned=False, timeout=LOOK_S).json().get("MinAPIVersion")
        return text(clamp(server, numbers(str(minimum))))

    def _refusal(self, what: str, error: Exception, otherwise: type[LlmstackError]) -> LlmstackError:
        from llmstack.engines.docker.refusal import Refusal, explain

        status = getattr(getattr(error, "response", None), "status_code", None)
        said = getattr(error, "explanation", None) if status else None
        return explain(Refusal(what, self.host, self.address.origin, status, str(said or error), otherwise))


def _ping(client: Client) -> Mapping[str, str]:
    """The headers of an answer that costs the engine nothing."""
    headers: Mapping[str, str] = client.raw("GET", "/_ping", versioned=False, timeout=LOOK_S).headers
    return headers


def numbers(version: str) -> tuple[int, int] | None:
    """`1.41` as (1, 41); None when it is no API version."""
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def text(version: tuple[int, int]) -> str:
    """(1, 41) as `1.41`."""
    return f"{version[0]}.{version[1]}"


def clamp(server: tuple[int, int], minimum: tuple[int, int] | None) -> tuple[int, int]:
    """The version to speak: the newest both know, at least the server's minimum. Raises UnreachableError if too old."""
    if server < OLDEST:
        raise UnreachableError(
            f"the Docker engine is too old: it speaks API {text(server)}", "llmstack needs Docker 20.10 or newer"
        )
    return max(min(server, NEWEST), minimum or OLDEST)
