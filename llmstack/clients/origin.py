"""Where a file's bytes are, and how they are asked for: redirects by rule, tokens for their own host alone."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import requests
from requests.structures import CaseInsensitiveDict

from llmstack.clients.http import CONNECT_TIMEOUT_S, Stream, is_near, pieces_of, translated
from llmstack.clients.replies import printable
from llmstack.domain.fetching import GIVE_UP_S
from llmstack.domain.names import is_loopback
from llmstack.domain.ticking import Leaving
from llmstack.errors import FetchError, ServerError

REDIRECTS = 5
AGAIN = "run it again: it goes on where it broke off"
NOT_IT = "correct #sha256= or the address; where only `update` pinned it, `llmstack update` takes what is there now"
PRIVATE = "the address must be public; a private repository is read by hf:, with HF_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A file on a server. `item` is its name in messages; the token goes to the host of `url` alone."""

    item: str
    url: str
    sha256: str | None = None
    token: str | None = field(default=None, repr=False)

    def error(self, what: str, hint: str | None, kind: str, **data: object) -> FetchError:
        """A FetchError about this file; with `again` in its data another try may succeed."""
        return FetchError(f"{self.item}: {what}", hint, kind=kind, **data)

    @property
    def host(self) -> str:
        """The server's name."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A file, or a part of it, as it comes; `headers` also has what redirects said of it."""

    status: int
    headers: Mapping[str, str]
    stream: Stream

    def feed(self, leaving: Leaving) -> Iterator[bytes]:
        """The bytes, for a reader that may leave before they come."""
        leaving(self.stream.hang_up)
        return self.stream.pieces

    @property
    def part(self) -> tuple[int | None, int]:
        """The size of the whole file, None when it is not told, and the byte that this answer begins with."""
        if self.status == 206:
            told = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", self.headers.get("Content-Range", ""))
            return (int(told[2]) if told and told[2] != "*" else None), (int(told[1]) if told else -1)
        length = re.fullmatch(r"[0-9]{1,18}", self.headers.get("Content-Length", ""))
        return (int(length[0]) if length else None), 0

    @property
    def validator(self) -> str | None:
        """What `If-Range` takes: an ETag unless it is a weak one, else the date of the last change."""
        etag = self.headers.get("ETag", "")
        return etag if etag.startswith('"') else self.headers.get("Last-Modified")

    @property
    def sha256(self) -> str | None:
        """The digest of the file as its server tells it: the hub's way, or by RFC 9530 or 3230."""
        linked = self.headers.get("X-Linked-ETag", "").strip('"')
        if re.fullmatch(r"[0-9a-f]{64}", linked):
            return linked
        for text in (self.headers.get("Repr-Digest", ""), self.headers.get("Digest", "")):
            if told := re.search(r"\bsha-256=:?([A-Za-z0-9+/]{43}=)", text, re.IGNORECASE):
                return base64.b64decode(told[1]).hex()
        return None


@contextmanager
def opened(origin: Origin, headers: Mapping[str, str]) -> Iterator[Answer]:
    """GET it, after redirects. Raises FetchError, also while it is read."""
    try:
        yield from _followed(origin, {**headers, "Accept-Encoding": "identity", "Connection": "close"})
    except ServerError as error:
        again = error.kind in ("refused", "reset", "cut", "timeout")
        raise origin.error(error.message, AGAIN if again else error.hint, error.kind, again=again) from error


def _followed(origin: Origin, headers: Mapping[str, str]) -> Iterator[Answer]:
    url, told = origin.url, CaseInsensitiveDict[str]()
    with requests.Session() as session:
        session.auth = _Bearer(origin)
        for _ in range(REDIRECTS + 1):
            host = _checked(origin, url)
            session.trust_env = not is_near(host)
            with translated(f"GET {host}", "reset"):
                timeouts = (CONNECT_TIMEOUT_S, GIVE_UP_S)
                answer = session.get(url, headers=headers, stream=True, allow_redirects=False, timeout=timeouts)
            with answer:
                if not answer.is_redirect:
                    _refuse_status(origin, answer)
                    linked = {name: text for name, text in told.items() if name.lower().startswith("x-linked-")}
                    headers = CaseInsensitiveDict({**answer.headers, **linked})
                    yield Answer(answer.status_code, headers, Stream(pieces_of(answer, f"GET {host}"), answer))
                    return
                told.update(answer.headers)
                url = _joined(origin, url, answer.headers["location"])
    raise origin.error(f"more than {REDIRECTS} redirects", "correct the address", "redirects")


def _joined(origin: Origin, url: str, location: str) -> str:
    """Where a redirect leads."""
    try:
        joined = urljoin(url, location)
        urlsplit(joined).port  # noqa: B018 - it raises for what is none
    except ValueError:
        raise origin.error(f"{origin.host} sends us to no address", "correct the address", "redirects") from None
    return joined


def _checked(origin: Origin, url: str) -> str:
    """The host of an address that may be asked: from https only to https; http only here, or where the digest of what
    comes is known."""
    parts, plain = urlsplit(url), origin.url.startswith("http:")
    host = parts.hostname or ""
    if parts.scheme == "https" or (parts.scheme == "http" and plain and (origin.sha256 or is_loopback(host))):
        return host
    where = printable(f"{parts.scheme}://{host}")
    raise origin.error(f"{origin.host} sends us to {where}", "llmstack follows to https only", "insecure")


def _refuse_status(origin: Origin, answer: requests.Response) -> None:
    status = answer.status_code
    if status in (200, 206):
        return
    again = status in (408, 425, 429) or status >= 500
    otherwise = (printable(answer.reason or "no success"), AGAIN if again else "correct the address")
    meaning, hint = _MEANINGS.get(status, otherwise)
    raise origin.error(f"{origin.host} answered {status}: {meaning}", hint, "status", again=again, status=status)


_MEANINGS = {
    401: ("it wants a login", PRIVATE),
    403: ("it may not be read", PRIVATE),
    404: ("there is no such file", "correct the address"),
    410: ("it is no longer there", "correct the address"),
    416: ("it has no bytes", "correct the address"),
    429: ("too many requests", "wait a while, then run it again"),
}


class _Bearer(requests.auth.AuthBase):
    """Without a token still an auth, else requests sends what ~/.netrc holds."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._origin.token and urlsplit(str(request.url))[:2] == urlsplit(self._origin.url)[:2]:
            request.headers["Authorization"] = f"Bearer {self._origin.token}"
        return request
