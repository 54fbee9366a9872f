"""Any server that speaks like OpenAI's API (vLLM, gateways, external endpoints)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmstack.clients.http import HttpClient, look
from llmstack.clients.speed import Meter, number, text
from llmstack.clients.streams import choices, sse
from llmstack.domain.server import ChatChunk, Liveness, ServedModel
from llmstack.errors import ServerError
from llmstack.protocols import Clock

CHAT = "/v1/chat/completions"
ANSWER_TIMEOUT_S = 300.0
"""Longest silence in an answer: a long prompt is read on a CPU at some 100 tokens a second."""


class OpenAI(HttpClient):
    """One endpoint; `base_url` may end in `/v1` or not. Errors are ServerError."""

    def __init__(self, base_url: str, api_key: str | None = None, clock: Clock | None = None) -> None:
        super().__init__(base_url.rstrip("/").removesuffix("/v1"), api_key, clock)

    def liveness(self) -> Liveness:
        """GET /v1/models. A server without that route (404) is alive as well: only a real answer can tell more."""
        return look(self._alive)

    def models(self) -> tuple[ServedModel, ...]:
        """GET /v1/models; Ollama says `"data": null` for none."""
        return tuple(self.served(item) for item in self.http.get("/v1/models").listed("data", "id"))

    def chat(
        self,
        model: str,
        prompt: str,
        *,
        max_tokens: int | None = None,
        seed: int | None = None,
        patience_s: float | None = None,
    ) -> Iterator[ChatChunk]:
        """A streamed answer; `seed` also sets temperature 0, for an answer that can be repeated.

        The rate is measured here between the first and last piece of text, unless the server tells its own.
        """
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True}
        body |= {} if max_tokens is None else {"max_tokens": max_tokens}
        body |= {} if seed is None else {"seed": seed, "temperature": 0}
        refused: ServerError | None = None
        for variant in _variants(body):
            try:
                yield from self._answer(variant, patience_s or ANSWER_TIMEOUT_S)
            except ServerError as error:
                if error.status not in (400, 422) or error.kind == "too_long":
                    raise
                refused = refused or error
            else:
                return
        assert refused is not None
        raise refused

    def served(self, item: Mapping[str, Any]) -> ServedModel:
        """One item of the list; whether it is loaded is not told."""
        return ServedModel(name=text(item.get("id")))

    def _alive(self) -> None:
        try:
            self.http.get("/v1/models")
        except ServerError as error:
            if error.kind != "not_found":
                raise

    def _answer(self, body: Mapping[str, object], patience_s: float) -> Iterator[ChatChunk]:
        clock, meter, figures = self.http.clock, Meter(), dict[str, Any]()
        with self.http.stream(CHAT, body, patience_s) as stream:
            for event in sse(stream.pieces, f"POST {self.http.where}{CHAT}", clock, patience_s):
                figures |= {key: event[key] for key in ("usage", "timings") if isinstance(event.get(key), dict)}
                for choice in choices(event):
                    chunk = _chunk(choice)
                    if chunk.text or chunk.thinking:
                        meter.text_at(clock.monotonic())
                        yield chunk
        yield _last(figures, meter)


def _variants(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The request, then what older servers want (no stream_options), then what newer models want."""
    yield body | {"stream_options": {"include_usage": True}}
    yield body
    if "max_tokens" in body:
        renamed = dict(body)
        yield renamed | {"max_completion_tokens": renamed.pop("max_tokens")}


def _chunk(choice: Mapping[str, Any]) -> ChatChunk:
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return ChatChunk()
    return ChatChunk(
        text=text(delta.get("content")), thinking=text(delta.get("reasoning_content")) or text(delta.get("reasoning"))
    )


def _last(figures: Mapping[str, Any], meter: Meter) -> ChatChunk:
    timings = figures.get("timings", {})
    tokens = number(figures.get("usage", {}).get("completion_tokens"))
    tokens = number(timings.get("predicted_n")) if tokens is None else tokens
    own = timings.get("predicted_per_second")
    if isinstance(own, int | float) and own > 0:
        return ChatChunk(done=True, tokens=tokens, tokens_per_s=float(own), clock="server")
    return ChatChunk(done=True, tokens=tokens, tokens_per_s=meter.tokens_per_s(tokens))
