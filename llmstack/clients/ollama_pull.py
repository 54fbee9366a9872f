"""PURE: what the lines of an Ollama pull mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
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


AGAIN = "pull again: finished parts are kept"
TROUBLES = (
    Trouble("no space left on device", "disk_full", "the server's disk is full",
            "make room where the server keeps its models, then pull again: it starts anew"),
    Trouble("digest mismatch", "digest", "what arrived is not what the registry announced",
            "pull again: the file was removed; if it happens again, the registry or a proxy in between is broken"),
    Trouble(r"^EOF$", "poisoned", "a stop in mid-download left a broken part behind, every pull of it fails",
            "remove blobs/*-partial* in the server's models directory (/root/.ollama/models), then pull again"),
    Trouble("no Location header", "registry", "this registry sends files itself; Ollama wants a redirect to them",
            "set the registry to redirect downloads, or pull from another one"),
    Trouble("HTTP response to HTTPS client|insecure protocol http", "insecure", "this registry speaks plain http",
            "give it a certificate, or pull from another one: an http:// in the name is not enough"),
    Trouble("file does not exist", "not_found", "no such model or tag in that registry",
            "check the name and the tag"),
    Trouble("invalid model name|missing request body|cannot unmarshal", "invalid_name", "that is no model name",
            "write it as [registry/][namespace/]model[:tag]"),
    Trouble("max retries exceeded|connection reset|unexpected EOF", "interrupted", "the download broke off", AGAIN,
            again=True),
    Trouble("no such host|server misbehaving|name resolution", "offline", "the registry's name does not resolve",
            "check the network and DNS of the host that Ollama runs on"),
    Trouble("connection refused", "refused", "the registry refuses connections",
            "check that it runs, and its port in the model's name"),
    Trouble("i/o timeout|context deadline|TLS handshake timeout|network is unreachable|no route to host",
            "unreachable", "the registry does not answer", "check the network and firewall of the server's host",
            again=True),
    Trouble("x509|certificate", "tls", "the registry's certificate is not trusted",
            "give the server's container the certificate of its authority"),
    Trouble("requires a newer version", "outdated", "this model needs a newer Ollama", "update the server's image"),
    Trouble("unauthorized|access denied|: 401|: 403", "denied", "the registry wants a login",
            "add the server's public key to the account there"),
)  # fmt: skip


def pull_error(model: str, error: ServerError) -> FetchError:
    """The FetchError that a failed request or an error line of a pull means."""
    said = str(error.data.get("text") or "")
    for trouble in TROUBLES:
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
        f"see why with `invoke logs`, then {AGAIN}",
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
