"""What the lines of an Ollama pull mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from llmstack.clients.replies import printable
from llmstack.clients.speed import number, text
from llmstack.domain.progress import Progress
from llmstack.errors import FetchError, ServerError


class Trouble(NamedTuple):
    """A failure known by its text: its kind, what it means, the next step, and whether another try may go better."""

    pattern: str
    kind: str
    meaning: str
    hint: str
    again: bool = False


@cache
def troubles() -> tuple[Trouble, ...]:
    """Those of `ollama_pull.toml`."""
    import tomllib

    told = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["trouble"]
    return tuple(Trouble(**each) for each in told)


def pull_error(model: str, error: ServerError) -> FetchError:
    """The FetchError that a failed request or an error line of a pull means."""
    said = str(error.data.get("text") or "")
    for trouble in troubles():
        if re.search(trouble.pattern, said):
            message, facts = f"{model}: {said}: {trouble.meaning}", {"kind": trouble.kind, "text": said}
            return FetchError(message, trouble.hint, **facts, again=trouble.again)
    if error.kind in ("cut", "reset"):
        return cut_off(model)
    return FetchError(f"{model}: {error.message}", error.hint, kind=error.kind, text=said)


def cut_off(model: str) -> FetchError:
    """The stream ended without a word of success: the server was stopped or killed."""
    return FetchError(
        f"{model}: the server broke off in the middle of the download",
        "see why with `invoke logs`, then pull again: finished parts are kept",
        kind="cut",
        again=True,
    )


class Layers:
    """What the server says of all layers of one pull: small ones never show, the last figure of a layer stays below its
    total, and the end is the word `success` alone."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.success = False
        self._phase = "starting"
        self._parts: dict[str, tuple[int, int]] = {}

    def take(self, line: Mapping[str, Any]) -> None:
        """Take one line of the stream."""
        status, digest = text(line.get("status")), text(line.get("digest"))
        self.success = status == "success"
        self._phase = "pulling" if digest else printable(status)
        if digest:
            completed = number(line.get("completed")) or 0
            self._parts[digest] = (completed, max(number(line.get("total")) or 0, completed))

    def progress(self) -> Progress:
        """Where it stands by the server's own figures; they can go down."""
        completed = sum(done for done, _ in self._parts.values())
        total = sum(size for _, size in self._parts.values())
        if self.success:
            return Progress(self.model, "success", total, total or None, done=True)
        return Progress(self.model, self._phase, completed, total or None)
