"""What the core asks of model servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from llmstack.protocols.engine import Report

if TYPE_CHECKING:
    from llmstack.domain.server import ChatChunk, Liveness, ServedModel


class Client(Protocol):
    """Speaks to one running server. Errors are ServerError; every call has a finite time-out but `load`, which waits
    as long as the server works on it."""

    base_url: str

    def liveness(self) -> Liveness:
        """One cheap look that wakes and loads nothing."""

    def version(self) -> str | None:
        """The server's version, None when it does not say."""

    def models(self) -> tuple[ServedModel, ...]:
        """The models it has, with what is loaded where it can tell."""

    def in_flight(self) -> int | None:
        """How many requests it answers right now; None when it does not tell."""

    def chat(
        self,
        model: str,
        prompt: str,
        *,
        max_tokens: int | None = None,
        seed: int | None = None,
        patience_s: float | None = None,
    ) -> Iterator[ChatChunk]:
        """A streamed answer; the last chunk has `done`. Raises ServerError(kind="cut") when the stream ends early,
        (kind="timeout") after a silence of `patience_s`, by default of minutes."""


class LazyClient(Client, Protocol):
    """A server whose models come and go while it runs (Ollama)."""

    def load(self, model: str, alive: Callable[[], bool] | None = None) -> None:
        """Load into memory and return when it is there; give up only when `alive` says that there is no use in
        waiting."""

    def unload(self, model: str) -> None:
        """Free its memory; returns when the server lists it no more."""

    def pull(self, model: str, report: Report) -> None:
        """Download; returns after the server's own word of success. `Engine.fetch` says the rest."""

    def newest(self, model: str) -> str | None:
        """The digest that a pull would bring now; None where that cannot be told."""

    def size_bytes(self, model: str) -> int | None:
        """How much a whole download is; None where that cannot be told."""

    def copy(self, model: str, name: str) -> None:
        """Have it under a second name too, whatever had that before."""

    def remove(self, model: str) -> None:
        """Delete it. Raises ServerError(kind="not_found")."""
