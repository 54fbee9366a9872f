"""What an answer has to be like, as the inventory wants it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llmstack.domain.doc import doc

TITLE_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A request to a model, and what its answer must be; what is None is not looked at."""

    prompt: str = doc("What is asked.", "What is the capital of France?", default="")
    text: str | None = doc("Text that the answer holds, in whatever case.", "Paris")
    pattern: str | None = doc("Regular expression that is found in the answer.", "^4")
    json_schema: Mapping[str, Any] | None = doc(
        "JSON Schema that the answer fits; needs the extra `checks`.", {"type": "object"}
    )
    first_token_s: float | None = doc("Longest time to the first token, in seconds.", 2)
    tokens_per_s: float | None = doc("Lowest rate, in tokens per second.", 20)
    device: Literal["gpu", "cpu"] | None = doc("Where it must run, as a whole.", "gpu")
    max_tokens: int = doc("Where the answer is ended, in tokens.", 16, default=128)

    @property
    def title(self) -> str:
        """Its prompt on one short line."""
        line = " ".join(self.prompt.split())
        return line if len(line) <= TITLE_LENGTH else f"{line[: TITLE_LENGTH - 1]}…"
