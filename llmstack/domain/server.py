"""What a model server says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from llmstack.domain.ladder import Answer
from llmstack.domain.tabular import Tabular


class Life(StrEnum):
    """What a server's API looks like from outside. `silent` covers a refused or reset connection: a published port
    accepts before anyone listens behind it."""

    SILENT = "silent"
    LOADING = "loading"
    READY = "ready"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Liveness:
    """One look at a server; `port` tells whether the connection was accepted, `detail` is its own text, `late` says
    that it took too long to answer."""

    life: Life
    detail: str = ""
    port: bool = True
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel(Tabular):
    """A model that a server has: `loaded` None where the server cannot tell; `digest` without a `sha256:` prefix, and
    `newest` the one that a pull would bring, where that was asked.

    `size_bytes` is its size on disk; `memory_bytes` what it holds while loaded, of which `vram_bytes` on GPUs.
    """

    columns = ("name", "digest", "size_bytes", "loaded", "memory_bytes", "vram_bytes", "expires_at")

    name: str
    digest: str | None = None
    newest: str | None = None
    size_bytes: int | None = None
    loaded: bool | None = None
    memory_bytes: int | None = None
    vram_bytes: int | None = None
    context: int | None = None
    expires_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatChunk:
    """A piece of a streamed answer; the last one has `done` and the figures that are known.

    `thinking` is text a model writes before its answer: a sign of life, not the answer.
    """

    text: str = ""
    thinking: str = ""
    done: bool = False
    tokens: int | None = None
    tokens_per_s: float | None = None
    clock: str = "client"

    def as_answer(self, text: str, first_token_ms: float | None) -> Answer:
        """The whole answer, of which this is the last piece."""
        tokens, rate = self.tokens, self.tokens_per_s
        return Answer(text=text, first_token_ms=first_token_ms, tokens=tokens, tokens_per_s=rate, clock=self.clock)
