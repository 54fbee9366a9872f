"""What an error answer of a model server means; pure.

Servers agree on status codes and on little else: the text differs by route and release, so a kind is taken from the
status wherever the status tells it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from llmstack.errors import ServerError

TEXT_LIMIT = 500

HINTS = {
    "refused": "nothing listens there: see `invoke status`",
    "reset": "it is still starting, or listens on 127.0.0.1 inside its container only: see `invoke logs`",
    "timeout": "it is busy or hangs: see `invoke logs`",
    "cut": "the server died or was stopped in the middle: see `invoke logs`, then ask again",
    "loading": "wait until it is loaded: `invoke health`",
    "busy": "ask again in a moment",
    "not_found": "`invoke status` shows what it serves, `invoke pull` fetches what is missing",
    "denied": "set the service's API key to one that it accepts",
    "unsupported": "the server lacks this, or it is switched off: its own text names the flag",
    "too_long": "send a shorter prompt, or serve the model with a larger context",
    "memory": "raise `resources: {memory: ...}` of its service, or take a smaller model or context",
    "killed": "who killed it, the kernel for lack of memory or somebody? Ask again: the server loads it anew",
    "broken": "fetch it anew: `invoke rm`, then `invoke pull`",
    "load_timeout": "give it more time: raise OLLAMA_LOAD_TIMEOUT in `env:`, or take a smaller model",
    "server": "see `invoke logs`",
    "protocol": "is this the right server and port?",
}

_STATUS_KINDS = {401: "denied", 403: "denied", 404: "not_found", 405: "unsupported", 408: "timeout", 413: "too_long"}
_STATUS_KINDS |= {429: "busy", 501: "unsupported", 503: "busy", 504: "timeout"}
_BY_TEXT = {
    "memory": r"terminated: signal: killed|out[- ]of[- ]memory|requires more system memory|layout cannot be allocated",
    "killed": r"error was encountered while running the model|model runner has unexpectedly stopped",
    "broken": r"exceeds file size|invalid file magic",
    "load_timeout": r"timed out waiting for .* to start",
}
"""What a server means that only says that it failed: its runner was killed while it loaded, or while it answered."""
_TOO_LONG = ("exceed_context_size_error", "context_length_exceeded", "maximum context length")


def server_error(kind: str, what: str, text: str = "", status: int | None = None) -> ServerError:
    """`what` happened in our words, `text` in the server's, cut to 500 printable characters."""
    said = printable(text)
    if kind == "server":
        kind = next((known for known, words in _BY_TEXT.items() if re.search(words, said)), kind)
    message = f"{what}: {said}" if said else what
    return ServerError(message, HINTS[kind], kind=kind, status=status, text=said)


def refusal(status: int, body: bytes, what: str) -> ServerError:
    """The error that an answer with status 400 or more means."""
    text, label = server_text(body)
    return server_error(kind_of(status, text, label), f"{what} answered {status}", text, status)


def kind_of(status: int, text: str, label: str = "") -> str:
    """The kind of a status; `label` is the error's own type or code where it has one."""
    if status == 503 and "loading" in text.lower():
        return "loading"
    if status in (400, 422) and any(mark in f"{label} {text}".lower() for mark in _TOO_LONG):
        return "too_long"
    return _STATUS_KINDS.get(status, "server")


def server_text(body: bytes) -> tuple[str, str]:
    """The server's own words in an error body, and its word for the kind of error ("" where it has none)."""
    text = body.decode("utf-8", "replace")
    try:
        found = error_of(json.loads(text))
    except ValueError:
        found = None
    return found or (text.strip(), "")


def error_of(answer: Any) -> tuple[str, str] | None:
    """Text and type of an error in any of the known shapes: `error` as an object or a string, a flat `object: error`
    or `message`, FastAPI's `detail`; None when the answer holds none."""
    if not isinstance(answer, dict):
        return None
    error = answer.get("error")
    if isinstance(error, dict):
        return str(error.get("message") or error), str(error.get("type") or error.get("code") or "")
    if isinstance(error, str) and error:
        return error, str(answer.get("error_type") or "")
    if isinstance(answer.get("message"), str) and (answer.get("object") == "error" or "choices" not in answer):
        return answer["message"], str(answer.get("type") or "")
    detail = answer.get("detail")
    if isinstance(detail, str | list) and detail:
        return (detail if isinstance(detail, str) else json.dumps(detail)), ""
    return None


def printable(text: str) -> str:
    """One line of at most 500 characters without control characters: a server's words must not drive a terminal."""
    cut = text[:TEXT_LIMIT]
    return " ".join("".join(char if char.isprintable() else " " for char in cut).split())
