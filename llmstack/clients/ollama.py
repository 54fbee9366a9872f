"""Ollama: models come and go while the server runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from llmstack.clients.http import HttpClient, Reply, look
from llmstack.clients.names import canonical, same_name
from llmstack.clients.ollama_pull import Layers, cut_off, pull_error
from llmstack.clients.ollama_registry import newest, size_bytes
from llmstack.clients.replies import server_error
from llmstack.clients.speed import number, rate, text
from llmstack.clients.streams import ndjson
from llmstack.domain.server import ChatChunk, Liveness, ServedModel
from llmstack.domain.ticking import Leaving, ticking
from llmstack.errors import ServerError
from llmstack.protocols import Clock, Report

TICK_S = 1.0
ACT_TIMEOUT_S = 60.0
"""Longest silence of a request that changes something: deleting big files takes a while on a slow disk."""
ANSWER_TIMEOUT_S = 300.0
FOREVER_S = 10 * 365 * 86400
"""keep_alive -1 shows as an `expires_at` in the year 2319."""


class Ollama(HttpClient):
    """One server. Errors are ServerError, those of `pull` FetchError."""

    def __init__(
        self, base_url: str, api_key: str | None = None, clock: Clock | None = None, *, tick_s: float = TICK_S
    ) -> None:
        super().__init__(base_url, api_key, clock)
        self._clock, self._tick_s = self.http.clock, tick_s

    def liveness(self) -> Liveness:
        """GET /api/version: wakes and loads nothing."""
        return look(self.version)

    def version(self) -> str | None:
        """The server's own word."""
        return text(self.http.get("/api/version").json().get("version")) or None

    def models(self) -> tuple[ServedModel, ...]:
        """What is there (/api/tags) and what of it is loaded (/api/ps).

        A listed model may be broken, and a listed load may be dead: only an answer proves them. A model that still
        loads is not listed as loaded; one that was deleted while loaded is not listed at all.
        """
        loaded = {canonical(name): item for name, item in self._list("/api/ps")}
        return tuple(_served(name, item, loaded.get(canonical(name))) for name, item in self._list("/api/tags"))

    def show(self, model: str) -> Mapping[str, Any]:
        """Its details, parameters, template and `capabilities`."""
        return self._post("/api/show", {"model": model}).json()

    def load(self, model: str, alive: Callable[[], bool] | None = None) -> None:
        """Load into memory; returns when it is there, however long the server takes.

        Never given up from here, as a client that goes away stops the load: only the server's own time-out ends it,
        or `alive` (does its container still run?) turning false, which raises ServerError(kind="cut").
        """
        try:
            self._wait(alive, "/api/generate", {"model": model, "stream": False})
        except ServerError as error:
            if error.status != 400 or "completion" in self._capabilities(model):
                raise
            self._wait(alive, "/api/embed", {"model": model, "input": "ready"})

    def unload(self, model: str, timeout_s: float = ACT_TIMEOUT_S) -> None:
        """Free its memory; returns when the server lists it no more.

        The server says "unload" at once, also while an answer is still being written: that one is waited for, and
        raises ServerError(kind="busy") when it takes longer than `timeout_s`.
        """
        until_s = self._clock.monotonic() + timeout_s
        self._post("/api/generate", {"model": model, "keep_alive": 0, "stream": False})
        while self._running(model):
            if self._clock.monotonic() > until_s:
                raise server_error("busy", f"{model} is still in memory {timeout_s:.0f} s after its unload")
            self._clock.sleep(0.1)

    def pull(self, model: str, report: Report) -> None:
        """Download; returns after the server's `success`. The bytes that are there are kept for the next pull.

        `report` hears once a second at least what the server says, and may end it by raising. Raises FetchError.
        """
        layers, body = Layers(model), {"model": model, "stream": True}
        try:
            with closing(ticking(lambda leaving: self._lines("/api/pull", body, None, leaving), self._tick_s)) as lines:
                for line in lines:
                    if line is not None:
                        layers.take(line)
                    report(layers.progress())
        except ServerError as error:
            raise pull_error(model, error) from error
        if not layers.success:
            raise cut_off(model)

    def newest(self, model: str) -> str | None:
        """By one question to its registry."""
        return newest(model)

    def size_bytes(self, model: str) -> int | None:
        """By one question to its registry."""
        return size_bytes(model)

    def copy(self, model: str, name: str) -> None:
        """Its bytes are there once."""
        self._post("/api/copy", {"source": model, "destination": name})

    def remove(self, model: str) -> None:
        """Free its memory and delete it: a model deleted while loaded would keep its memory."""
        if self._running(model):
            self.unload(model)
        self.http.send("DELETE", "/api/delete", {"model": model}, ACT_TIMEOUT_S)

    def chat(
        self,
        model: str,
        prompt: str,
        *,
        max_tokens: int | None = None,
        seed: int | None = None,
        patience_s: float | None = None,
    ) -> Iterator[ChatChunk]:
        """A streamed answer; loads the model first when it is not loaded.

        `seed` makes it a probe that can be repeated: temperature 0, no thinking. The time that the model has
        left in memory stays as it was. A prompt above the context is cut in silence by the
        server: the answer is then short or empty, without an error.
        """
        left = self._keep_alive(model)
        if left is None:
            self.load(model)
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True}
        options = {} if max_tokens is None else {"num_predict": max_tokens}
        if seed is not None:
            body["think"] = False
            options |= {"seed": seed, "temperature": 0}
        body |= {"options": options} | ({} if left is None else {"keep_alive": left})
        for line in self._lines("/api/chat", body, patience_s or ANSWER_TIMEOUT_S):
            chunk = _chunk(line)
            yield chunk
            if chunk.done:
                return
        raise server_error("cut", f"{model}: the answer broke off")

    def _list(self, path: str) -> list[tuple[str, Mapping[str, Any]]]:
        return _named(self.http.get(path))

    def _post(self, path: str, body: Mapping[str, object], timeout_s: float | None = ACT_TIMEOUT_S) -> Reply:
        return self.http.send("POST", path, body, timeout_s)

    def _running(self, model: str) -> bool:
        return any(same_name(name, model) for name, _ in self._list("/api/ps"))

    def _capabilities(self, model: str) -> list[Any]:
        found = self.show(model).get("capabilities")
        return found if isinstance(found, list) else []

    def _lines(
        self, path: str, body: Mapping[str, object], timeout_s: float | None, leaving: Leaving | None = None
    ) -> Iterator[dict[str, Any]]:
        with self.http.stream(path, body, timeout_s) as stream:
            if leaving:
                leaving(stream.hang_up)
            yield from ndjson(stream.pieces, f"POST {self.http.where}{path}")

    def _wait(self, alive: Callable[[], bool] | None, path: str, body: Mapping[str, object]) -> None:
        for reply in ticking(lambda _: iter((self._post(path, body, None),)), self._tick_s):
            if reply is None and alive is not None and not alive():
                raise server_error("cut", f"{body['model']}: the server died while it loaded")

    def _keep_alive(self, model: str) -> str | int | None:
        """What is left of its time in memory, as a `keep_alive`; None when it is not loaded."""
        reply = self.http.get("/api/ps")
        for name, item in _named(reply):
            if same_name(name, model):
                return keep_alive_left(text(item.get("expires_at")), _server_now_s(reply, self._clock))
        return None


def keep_alive_left(expires_at: str, now_s: float) -> str | int | None:
    """The `keep_alive` that leaves `expires_at` as it is: -1 for ever, a duration otherwise; None if unreadable."""
    try:
        left_s = datetime.fromisoformat(expires_at).timestamp() - now_s
    except ValueError:
        return None
    return -1 if left_s > FOREVER_S else f"{max(0.0, left_s):.3f}s"


def _server_now_s(reply: Reply, clock: Clock) -> float:
    """The server's time: its clock need not be ours, and its Date has whole seconds. Never early, else each probe
    would give the model more time."""
    now_s = clock.now()
    try:
        date_s = parsedate_to_datetime(reply.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return now_s
    return now_s if date_s - 1 <= now_s <= date_s + 2 else date_s + 1


def _named(reply: Reply) -> list[tuple[str, Mapping[str, Any]]]:
    return [(item["name"], item) for item in reply.listed("models", "name")]


def _served(name: str, item: Mapping[str, Any], running: Mapping[str, Any] | None) -> ServedModel:
    live = running or {}
    return ServedModel(
        name=name,
        digest=text(item.get("digest")).removeprefix("sha256:") or None,
        size_bytes=number(item.get("size")),
        loaded=running is not None,
        memory_bytes=number(live.get("size")),
        vram_bytes=number(live.get("size_vram")),
        context=number(live.get("context_length")),
        expires_at=text(live.get("expires_at")) or None,
    )


def _chunk(line: Mapping[str, Any]) -> ChatChunk:
    message = line.get("message")
    said = message if isinstance(message, dict) else {}
    tokens, spent_ns = number(line.get("eval_count")), number(line.get("eval_duration"))
    return ChatChunk(
        text=text(said.get("content")),
        thinking=text(said.get("thinking")),
        done=line.get("done") is True,
        tokens=tokens,
        tokens_per_s=rate(tokens, spent_ns / 1e9 if spent_ns else None),
        clock="server",
    )
