"""A file by HTTP, from a server that behaves and one that does not."""

from __future__ import annotations

import base64
import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from llmstack.clients import download as module
from llmstack.clients import origin as asking
from llmstack.clients.download import Download, Found, look
from llmstack.clients.origin import Origin
from llmstack.core.fetching import fetched
from llmstack.domain.fetching import TRIES
from llmstack.domain.progress import Progress
from llmstack.errors import FetchError, InterruptedRunError, LlmstackError, PreflightError
from llmstack.protocols import Report
from llmstack.testing import FakeClock
from tests.servers.files import FileServer, serving

BODY = random.Random(1).randbytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER = "0" * 64


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(FileServer(BODY)) as found:
        yield found


class Fetch:
    """What came of a fetch into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.steps, self.clock, self.digest = folder, list[Progress](), FakeClock(), ""
        self.on_step: Callable[[Progress], None] = lambda _: None

    def __call__(self, server: FileServer, sha256: str | None = None, path: str = "/m.gguf") -> bytes:
        origin = Origin(item="m", url=server.url + path, sha256=sha256)
        fetched("m", lambda report: self.once(origin, report), self._step, self.clock)
        return (self.folder / "m").read_bytes()

    def once(self, origin: Origin, report: Report, name: str | None = "m") -> None:
        def accept(part: Path, digest: str) -> None:
            self.digest = digest
            if name:
                part.rename(self.folder / name)

        Download(origin=origin, folder=self.folder, report=report, accept=accept).run()

    def _step(self, step: Progress) -> None:
        self.steps.append(step)
        self.on_step(step)

    def failure(self, server: FileServer, sha256: str | None = None, path: str = "/m.gguf") -> LlmstackError:
        with pytest.raises(LlmstackError) as caught:
            self(server, sha256, path)
        assert not (self.folder / "m").exists()
        assert caught.value.hint
        return caught.value

    @property
    def kept_bytes(self) -> int:
        return sum(part.stat().st_size for part in self.folder.iterdir())


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    return Fetch(tmp_path)


def test_a_file_comes_whole_with_progress_that_never_goes_back(server: FileServer, fetch: Fetch) -> None:
    assert fetch(server) == BODY
    figures = [step.completed_bytes for step in fetch.steps]
    assert figures == sorted(figures)
    assert fetch.steps[-1] == Progress("m", "fetched", len(BODY), len(BODY), done=True)
    assert {step.total_bytes for step in fetch.steps} == {len(BODY)}
    assert [part.name for part in fetch.folder.iterdir()] == ["m"]


@pytest.mark.parametrize("fault", ["reset", "cut", "refuse"])
@pytest.mark.parametrize("sha256", [None, SHA256])
def test_what_breaks_off_is_resumed_by_itself(server: FileServer, fetch: Fetch, fault: str, sha256: str | None) -> None:
    server.faults = [fault] * 3
    assert fetch(server, sha256) == BODY
    assert len(server.ranges_asked) == 4
    if fault != "refuse":
        assert all(server.ranges_asked[1:])
        resumed = [headers for _, headers in server.asked if headers.get("range") not in (None, "bytes=0-0")]
        assert [headers["if-range"] for headers in resumed] == ['"one"'] * 3
    assert any(step.phase.startswith("again in ") for step in fetch.steps)
    figures = [step.completed_bytes for step in fetch.steps]
    assert figures == sorted(figures)


def test_a_stall_is_given_up_and_resumed(server: FileServer, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)
    server.faults = ["stall"]

    def wait(step: Progress) -> None:
        if (step.completed_bytes, len(server.ranges_asked)) == (server.after, 1):
            fetch.clock.advance(50)

    fetch.on_step = wait
    assert fetch(server) == BODY
    assert server.ranges_asked == [None, f"bytes={server.after}-"]


@pytest.mark.parametrize(("fault", "kind"), [("reset", "cut"), ("refuse", "status"), ("cut", "cut")])
def test_without_a_byte_more_it_is_given_up_and_what_came_is_kept(
    server: FileServer, fetch: Fetch, fault: str, kind: str
) -> None:
    server.faults = ["cut", *[fault] * 20]
    server.before = lambda now: setattr(now, "after", 1000 if len(now.asked) < 3 else 0)
    error = fetch.failure(server)
    assert isinstance(error, FetchError)
    assert error.data["kind"] == kind
    assert error.hint == "run it again: it goes on where it broke off"
    assert fetch.kept_bytes == 1000
    assert len(server.ranges_asked) == TRIES
    server.faults, server.before = [], lambda _: None
    server.asked.clear()
    assert fetch(server) == BODY
    assert server.ranges_asked == ["bytes=1000-"]


def test_a_server_without_ranges_sends_all_of_it_again(server: FileServer, fetch: Fetch) -> None:
    server.ranges, server.faults = False, ["cut"]
    assert fetch(server) == BODY
    figures = [step.completed_bytes for step in fetch.steps]
    assert figures == sorted(figures)


@pytest.mark.parametrize("request_number", [3, 4], ids=["seen", "unseen"])
def test_a_file_that_is_another_one_by_now_is_fetched_from_its_start(
    server: FileServer, fetch: Fetch, request_number: int
) -> None:
    changed = BODY[::-1]

    def change(now: FileServer) -> None:
        if len(now.asked) == request_number:
            now.etag, now.body = '"two"', changed

    server.faults, server.before = ["cut"], change
    assert fetch(server) == changed


def test_what_an_earlier_run_left_of_another_version_is_thrown_away(server: FileServer, fetch: Fetch) -> None:
    server.faults, server.after = ["cut"] + ["refuse"] * 20, 5000
    fetch.failure(server)
    server.faults, server.etag = [], '"two"'
    server.asked.clear()
    assert fetch(server) == BODY
    assert server.ranges_asked == [None]


@pytest.mark.parametrize("etag", ['W/"one"', None])
def test_without_a_way_to_tell_that_it_is_the_same_it_starts_anew(
    server: FileServer, fetch: Fetch, etag: str | None
) -> None:
    server.etag, server.faults = etag, ["cut"]
    assert fetch(server) == BODY
    assert server.ranges_asked == [None, None]


def test_a_date_or_a_digest_tells_that_it_is_the_same(server: FileServer, fetch: Fetch) -> None:
    server.etag, server.faults = None, ["cut", "cut"]
    server.headers = {"Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert fetch(server) == BODY
    assert server.asked[-1][1]["if-range"] == server.headers["Last-Modified"]
    (fetch.folder / "m").unlink()
    server.headers, server.faults = {}, ["cut"]
    assert fetch(server, SHA256) == BODY
    assert server.ranges_asked[-1] == f"bytes={server.after}-"


def test_wrong_bytes_are_told_and_not_kept(server: FileServer, fetch: Fetch) -> None:
    server.faults = ["wrong"]
    error = fetch.failure(server, SHA256)
    assert error.data["kind"] == "digest"
    assert f"not {SHA256}" in error.message
    assert fetch.kept_bytes == 0
    assert fetch(server, SHA256) == BODY


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Linked-ETag": f'"{SHA256}"'},
        {"Repr-Digest": "sha-512=:abc=:, sha-256=:{}:"},
        {"Digest": "SHA-256={}"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_the_digest_of_the_server_counts(server: FileServer, fetch: Fetch, headers: dict[str, str]) -> None:
    told = base64.b64encode(bytes.fromhex(SHA256)).decode()
    server.headers = {name: text.replace("{}", told) for name, text in headers.items()}
    assert look(Origin(item="m", url=server.url)).sha256 == SHA256
    server.faults = ["wrong"]
    assert fetch.failure(server).data["kind"] == "digest"
    asked = len(server.asked)
    error = fetch.failure(server, OTHER)
    assert error.message == f"m: its server says sha256 {SHA256}, not {OTHER}"
    assert len(server.asked) == asked + 1, "nothing of it was fetched"


def test_a_wrong_length_is_told(server: FileServer, fetch: Fetch) -> None:
    server.faults = []
    server.before = lambda now: setattr(now, "body", BODY if len(now.asked) == 1 else BODY[:-1])
    error = fetch.failure(server)
    assert (error.data["kind"], error.message) == ("length", "m: it has 299999 bytes, not 300000")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "answered 401: it wants a login"),
        (403, "answered 403: it may not be read"),
        (404, "answered 404: there is no such file"),
        (410, "answered 410: it is no longer there"),
        (418, "answered 418: I'm a Teapot"),
    ],
)
def test_a_refusal_is_told_at_once(server: FileServer, fetch: Fetch, status: int, message: str) -> None:
    server.status = status
    assert fetch.failure(server).message == f"m: 127.0.0.1 {message}"
    assert len(server.asked) == 1


def test_a_range_that_was_not_asked_for_is_no_file(server: FileServer, fetch: Fetch) -> None:
    server.faults, server.headers = ["cut"], {"Content-Range": "bytes 7-9/300000"}
    error = fetch.failure(server)
    assert error.data["kind"] == "range"


def test_nothing_listens(fetch: Fetch) -> None:
    error = fetch.failure(FileServer(BODY, url="http://127.0.0.1:9"))
    assert error.data["kind"] == "refused"
    assert "connection refused" in error.message


def test_redirects_are_followed_with_what_they_said(server: FileServer, fetch: Fetch) -> None:
    server.redirects = {"/m.gguf": "/else/where"}
    server.linked = {"X-Linked-ETag": f'"{SHA256}"'}
    assert fetch(server) == BODY
    assert look(Origin(item="m", url=f"{server.url}/m.gguf")).sha256 == SHA256
    server.redirects = {"/m.gguf": "/m.gguf"}
    (fetch.folder / "m").unlink()
    assert fetch.failure(server).data["kind"] == "redirects"


def test_a_redirect_to_plain_http_elsewhere_is_refused(server: FileServer, fetch: Fetch) -> None:
    server.redirects = {"/m.gguf": "http://example.org/m.gguf"}
    error = fetch.failure(server)
    assert error.message == "m: 127.0.0.1 sends us to http://example.org"
    server.redirects = {"/m.gguf": "file:///etc/passwd"}
    assert fetch.failure(server).data["kind"] == "insecure"
    for nowhere in ("http://[", "http://127.0.0.1:port/m"):
        server.redirects = {"/m.gguf": nowhere}
        assert fetch.failure(server).message.endswith("to no address")


def test_what_begins_as_https_stays_https() -> None:
    origin = Origin(item="m", url="https://example.org/m", sha256=SHA256)
    assert asking._checked(origin, "https://cdn.example.org/m") == "cdn.example.org"
    with pytest.raises(FetchError, match="sends us to http://127"):
        asking._checked(origin, "http://127.0.0.1/m")
    pinned = Origin(item="m", url="http://example.org/m", sha256=SHA256)
    assert asking._checked(pinned, "http://example.net/m") == "example.net"


def test_a_token_goes_to_its_own_host_alone(server: FileServer) -> None:
    with serving(FileServer(BODY)) as cdn:
        server.redirects = {"/m": f"{cdn.url}/x"}
        origin = Origin(item="m", url=f"{server.url}/m", token="hf_secret")
        assert look(origin).size_bytes == len(BODY)
        assert server.asked[0][1]["authorization"] == "Bearer hf_secret"
        assert "authorization" not in cdn.asked[0][1]
        assert "hf_secret" not in repr(origin)


def test_no_login_of_a_netrc_is_sent(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    look(Origin(item="m", url=server.url))
    assert "authorization" not in server.asked[0][1]


def test_too_little_room_is_refused_with_figures_before_a_byte_is_fetched(
    server: FileServer, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=200_000))
    error = fetch.failure(server)
    assert isinstance(error, PreflightError)
    assert error.message == f"m needs 0.3 MB, the disk of {fetch.folder.parent} has 0.2 MB"
    assert (error.data["needed_bytes"], error.data["free_bytes"]) == (300_000, 200_000)
    assert server.ranges_asked == []


def test_a_second_fetch_waits_for_the_first_and_does_not_mix_with_it(
    server: FileServer, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.01)
    waits, other = threading.Event(), Fetch(fetch.folder)
    other.on_step = lambda step: waits.set() if step.phase == "fetched by another run" else None
    errors: list[BaseException] = []

    def second() -> None:
        try:
            other.once(Origin(item="m", url=f"{server.url}/m.gguf"), other._step)
        except FetchError as error:
            errors.append(error)

    thread = threading.Thread(target=second)

    def first(step: Progress) -> None:
        if step.phase == "fetching" and not thread.ident:
            thread.start()
            assert waits.wait(30)

    fetch.on_step = first
    assert fetch(server) == BODY
    thread.join()
    (error,) = errors
    assert isinstance(error, FetchError)
    assert (error.message, error.data["again"]) == ("m: another run was at work on it", True)
    assert server.ranges_asked == [None]


def test_an_interrupted_fetch_keeps_what_came(server: FileServer, fetch: Fetch) -> None:
    def stop(step: Progress) -> None:
        if step.completed_bytes > 100_000:
            raise InterruptedRunError("interrupted")

    fetch.on_step = stop
    with pytest.raises(InterruptedRunError):
        fetch(server)
    kept = fetch.kept_bytes
    assert kept > 100_000
    fetch.on_step = lambda _: None
    assert fetch(server) == BODY
    assert server.ranges_asked == ([None, f"bytes={kept}-"] if kept < len(BODY) else [None])


def test_what_came_whole_and_was_not_named_is_not_fetched_again(server: FileServer, fetch: Fetch) -> None:
    origin = Origin(item="m", url=server.url, sha256=SHA256)
    fetch.once(origin, fetch._step, None)
    server.asked.clear()
    fetch.once(origin, fetch._step)
    assert fetch.digest == SHA256
    assert server.ranges_asked == []


def test_a_length_that_nobody_tells_is_unknown(server: FileServer) -> None:
    nothing = asking.Stream(iter(()), asking.requests.Response())
    assert asking.Answer(200, {}, nothing).part == (None, 0)
    assert asking.Answer(200, {"Content-Length": "9" * 5000}, nothing).part == (None, 0)
    assert asking.Answer(206, {"Content-Range": "bytes 5-9/*"}, nothing).part == (None, 5)
    assert look(Origin(item="m", url=server.url)) == Found(size_bytes=len(BODY), sha256=None, validator='"one"')
