"""One way to speak HTTP to a model server: bounded bodies, finite waits, one exception."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from urllib3 import exceptions as wire

from llmstack.clients.replies import refusal, server_error
from llmstack.clients.speed import text
from llmstack.domain.clock import SystemClock
from llmstack.domain.server import Life, Liveness
from llmstack.errors import ServerError, UsageError
from llmstack.protocols import Clock

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 5.0
BODY_TIMEOUT_S = 60.0
BODY_LIMIT_BYTES = 1 << 20
PIECE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer with a status below 400."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    what: str

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ServerError(kind="protocol") for anything else."""
        try:
            answer = json.loads(self.body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise server_error("protocol", f"{self.what} answered no JSON object", self.body.decode("utf-8", "replace"))
        return answer

    def listed(self, key: str, naming: str) -> list[dict[str, Any]]:
        """The list under `key`, empty where it is null or absent; each of its objects tells its name under `naming`.
        Raises ServerError(kind="protocol") for anything else."""
        found = self.json().get(key)
        items = [] if found is None else found
        if not isinstance(items, list) or not all(isinstance(item, dict) and text(item.get(naming)) for item in items):
            raise server_error("protocol", f"{self.what} answered no list of models")
        return items


@dataclass(frozen=True, slots=True)
class Stream:
    """The bytes of an answer as they come."""

    pieces: Iterator[bytes]
    answer: requests.Response

    def hang_up(self) -> None:
        """End the reading from another thread; no error when it is over."""
        with suppress(ValueError, RuntimeError, OSError):
            self.answer.raw.shutdown()


class Http:
    """Requests to one base URL.

    Each request has a connection of its own: an idle one may be closed by the server at any moment, and that would
    read like a server that just died. Proxies of the environment are used for public addresses only. Redirects are
    errors, and nothing is tried twice. Raises UsageError when `base_url` is no http(s) address.
    """

    def __init__(self, base_url: str, api_key: str | None = None, clock: Clock | None = None) -> None:
        parts = urlsplit(base_url if "://" in base_url else f"http://{base_url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{base_url!r} is no address of a server", "write it as http://HOST:PORT")
        self.base_url = parts.geturl().rstrip("/")
        self.where = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        self.clock = clock or SystemClock()
        self._key = api_key
        self._direct = is_near(parts.hostname)

    def get(self, path: str, timeout_s: float | None = READ_TIMEOUT_S) -> Reply:
        """GET a bounded answer. Raises ServerError."""
        return self.send("GET", path, None, timeout_s)

    def send(self, method: str, path: str, body: Mapping[str, object] | None, timeout_s: float | None) -> Reply:
        """A whole answer of at most 1 MiB; `timeout_s` is the longest silence, None waits as long as the server does.

        Raises ServerError.
        """
        with self._open(method, path, body, timeout_s) as answer:
            return self._whole(answer, f"{method} {self.where}{path}")

    @contextmanager
    def stream(self, path: str, body: Mapping[str, object], timeout_s: float | None) -> Iterator[Stream]:
        """POST, and the answer's bytes as they come. Raises ServerError, also while it is read."""
        with self._open("POST", path, body, timeout_s) as answer:
            yield Stream(pieces_of(answer, f"POST {self.where}{path}"), answer)

    @contextmanager
    def _open(
        self, method: str, path: str, body: Mapping[str, object] | None, timeout_s: float | None
    ) -> Iterator[requests.Response]:
        what = f"{method} {self.where}{path}"
        with requests.Session() as session:
            session.trust_env = not self._direct
            session.auth = self._authorize
            with translated(what, "reset"):
                answer = session.request(
                    method,
                    self.base_url + path,
                    json=body,
                    stream=True,
                    allow_redirects=False,
                    timeout=(CONNECT_TIMEOUT_S, timeout_s),
                    headers={"Connection": "close", "Accept-Encoding": "identity"},
                )
            with answer:
                if answer.status_code >= 400:
                    raise refusal(answer.status_code, self._hide_key(self._peek(answer, what)), what)
                if answer.is_redirect:
                    raise server_error(
                        "protocol", f"{what} redirects", answer.headers.get("location", ""), answer.status_code
                    )
                yield answer

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """An auth hook even without a key: else requests sends what ~/.netrc holds for this host."""
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _hide_key(self, body: bytes) -> bytes:
        return body.replace(self._key.encode(), b"***") if self._key else body

    def _whole(self, answer: requests.Response, what: str) -> Reply:
        body, until_s = b"", self.clock.monotonic() + BODY_TIMEOUT_S
        for piece in pieces_of(answer, what):
            body += piece
            if self.clock.monotonic() > until_s:
                raise server_error("timeout", f"{what} had not sent its whole answer after {BODY_TIMEOUT_S:.0f} s")
            if len(body) > BODY_LIMIT_BYTES:
                raise server_error("protocol", f"{what} answered more than {BODY_LIMIT_BYTES >> 20} MiB")
        return Reply(answer.status_code, answer.headers, body, what)

    def _peek(self, answer: requests.Response, what: str) -> bytes:
        """The start of an error's body; the status alone is enough when the body is cut."""
        body = b""
        with suppress(ServerError):
            for piece in pieces_of(answer, what):
                body += piece
                if len(body) >= PIECE_BYTES:
                    break
        return body


class HttpClient:
    """What clients of servers share; None is what the API of most does not tell."""

    def __init__(self, base_url: str, api_key: str | None = None, clock: Clock | None = None) -> None:
        self.http = Http(base_url, api_key, clock)
        self.base_url = self.http.base_url

    def version(self) -> str | None:
        """The server's own word."""
        return None

    def in_flight(self) -> int | None:
        """Requests that it answers right now."""
        return None


def pieces_of(answer: requests.Response, what: str) -> Iterator[bytes]:
    """The bytes of an answer as they come. Raises ServerError."""
    with translated(what, "cut"):
        while piece := answer.raw.read1(PIECE_BYTES, decode_content=False):
            yield piece


def is_near(host: str) -> bool:
    """Loopback, private and link-local addresses, and names without a dot (this machine, containers of a network):
    no proxy knows the way there."""
    name = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith((".localhost", ".local", ".internal", ".lan"))
    return address.is_loopback or address.is_private or address.is_link_local


@contextmanager
def translated(what: str, broken: str) -> Iterator[None]:
    """`broken` is what a lost connection means here: `reset` before the headers, `cut` after them."""
    try:
        yield
    except requests.ConnectTimeout as error:
        raise server_error("refused", f"{what}: no connection within {CONNECT_TIMEOUT_S:.0f} s") from error
    except (requests.Timeout, wire.TimeoutError) as error:
        raise server_error("timeout", f"{what} did not answer in time") from error
    except requests.exceptions.SSLError as error:
        raise server_error("protocol", f"{what}: TLS failed", str(error)) from error
    except (requests.RequestException, wire.HTTPError, OSError) as error:
        if unconnected := _unconnected(error):
            raise server_error("refused", f"{what}: {unconnected}") from error
        raise server_error(broken, f"{what}: {_SAID[broken]}") from error
    except ValueError as error:  # requests looks at redirects even where it is told not to follow them
        raise server_error("protocol", f"{what} redirects to no address") from error


_SAID = {"reset": "the connection was reset before an answer", "cut": "the answer was cut off"}


def _unconnected(error: BaseException) -> str | None:
    """Why no connection came to be; None when there was one. A reset may hit as early as the connect."""
    found: object = error
    while isinstance(found, BaseException):
        if isinstance(found, wire.NameResolutionError):
            return "its name does not resolve"
        if isinstance(found, wire.NewConnectionError):
            cause = found.__cause__
            if isinstance(cause, ConnectionResetError):
                return None
            return str(getattr(cause, "strerror", None) or "connection refused").lower()
        inner = found.args[0] if found.args else None
        found = getattr(inner, "reason", inner)
    return None


_LIVES = {"refused": Life.SILENT, "reset": Life.SILENT, "loading": Life.LOADING, "denied": Life.READY}


def look(probe: Callable[[], object]) -> Liveness:
    """Ready when `probe` passes; else what its ServerError means.

    A reset is as silent as a refusal, but tells that a port is published: a container's proxy accepts before anyone
    listens behind it. 503 means loading, 429 and a refused key mean alive.
    """
    try:
        probe()
    except ServerError as error:
        return Liveness(_life(error), error.message, error.kind != "refused", error.kind == "timeout")
    return Liveness(Life.READY)


def _life(error: ServerError) -> Life:
    if error.kind == "busy":
        return Life.READY if error.status == 429 else Life.LOADING
    return _LIVES.get(error.kind, Life.FAILING)
