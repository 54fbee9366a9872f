"""Every recorded exchange of Ollama is replayed, and what we make of it is what `ollama-outcomes.json` states: `ok`
with what was read, or the exit code and kind of the error."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from llmstack.clients.http import Http
from llmstack.clients.ollama import Ollama
from llmstack.clients.streams import ndjson, sse
from llmstack.domain.clock import SystemClock
from llmstack.domain.fetching import Watch
from llmstack.domain.progress import Progress
from llmstack.errors import FetchError, ServerError
from tests.servers import replay
from tests.unit.clients.conftest import Hurrying

OUTCOMES: dict[str, str] = json.loads((replay.RECORDINGS / "ollama-outcomes.json").read_text())
FILES = {path.stem: json.loads(path.read_text()) for path in sorted(replay.OLLAMA.glob("*.json"))}
PATIENCE_S = 60.0


def test_every_file_has_an_outcome_and_every_outcome_a_file() -> None:
    assert sorted(FILES) == sorted(OUTCOMES)


@pytest.mark.parametrize("name", [name for name in FILES if FILES[name]["request"]])
def test_what_we_make_of_it_is_as_stated(name: str) -> None:
    request = FILES[name]["request"]
    with replay.only(replay.OLLAMA / f"{name}.json") as server:
        url = replay.closed_port() if "refused" in str(FILES[name].get("error")) else server.url
        assert outcome(lambda: act(url, request, FILES[name])) == OUTCOMES[name]


def outcome(step: Callable[[], str]) -> str:
    try:
        return f"ok {step()}".strip()
    except FetchError as error:
        return f"{error.exit_code} {error.data['kind'] if error.hint else 'without a hint'}"
    except ServerError as error:
        return f"{error.exit_code} {error.kind if error.hint else 'without a hint'}"


def act(url: str, request: dict[str, Any], exchange: dict[str, Any]) -> str:
    """What the product does with such an exchange; what it never sends is sent as it was recorded."""
    method, path, body = request["method"], request["path"], request.get("json")
    model = body.get("model") if isinstance(body, dict) else None
    if (method, path) == ("POST", "/api/pull") and isinstance(model, str):
        return pull(url, model)
    if (method, path) == ("GET", "/api/version"):
        seen = Ollama(url).liveness()
        return f"{seen.life.value}{', its port is there' if seen.port else ''}"
    if method == "GET" and path in ("/api/tags", "/api/ps"):
        return " ".join(name for name, _ in Ollama(url)._list(path))
    if path == "/api/generate" and body and set(body) <= {"model", "options"} and exchange["response"]:
        Ollama(url).load(str(model))
        return "loaded"
    response = exchange["response"]
    patience_s = PATIENCE_S if response and response["ended"] != "timeout" else 0.1
    kind = response["headers"].get("Content-Type", "") if response and response["status"] < 400 else ""
    if "ndjson" in kind or "event-stream" in kind:
        return streamed(url, path, body or {}, "ndjson" in kind)
    return told(Http(url).send(method, path, body, patience_s).body.decode())


def told(body: str) -> str:
    """Why an answer ended, else what it holds, else its text."""
    try:
        answer = json.loads(body)
    except ValueError:
        return body
    return str(answer.get("done_reason") or " ".join(sorted(answer)[:3]))


def pull(url: str, model: str) -> str:
    """One try, by a clock on which each look takes five seconds."""
    seen, watch, clock = list[Progress](), Watch(model, 600), Hurrying(5)
    Ollama(url, tick_s=0.005).pull(model, lambda told: seen.append(watch.take(told, clock.monotonic())))
    assert all(before.completed_bytes <= after.completed_bytes for before, after in pairwise(seen))
    return seen[-1].phase


def streamed(url: str, path: str, body: dict[str, Any], lines: bool) -> str:
    """How a stream ended that is read to its end."""
    with Http(url).stream(path, body, PATIENCE_S) as stream:
        events: Iterator[dict[str, Any]] = (
            ndjson(stream.pieces, path) if lines else sse(stream.pieces, path, SystemClock(), PATIENCE_S)
        )
        last = deque(events, maxlen=1).pop()
    return "done" if last.get("done") or not lines else str(last.get("status"))
