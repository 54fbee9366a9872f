"""What the lines of an Ollama pull mean; pure but for the clock it is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from llmstack.clients.replies import printable
from llmstack.clients.speed import number, text
from llmstack.domain.progress import Progress
from llmstack.errors import FetchError, ServerError

VERIFY_BYTES_PER_S = 20_000_000
"""Slowest disk that the silent check of the digest is given time for."""
RESTARTS_LIMIT = 20


class Trouble(NamedTuple):
    """A failure known by its text: its kind, what it means, the next step."""

    pattern: str
    kind: str
    meaning: str
    hint: str


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
    Trouble("max retries exceeded|connection reset|unexpected EOF", "interrupted", "the download broke off", AGAIN),
    Trouble("no such host|server misbehaving|name resolution", "offline", "the registry's name does not resolve",
            "check the network and DNS of the host that Ollama runs on"),
    Trouble("connection refused", "refused", "the registry refuses connections",
            "check that it runs, and its port in the model's name"),
    Trouble("i/o timeout|context deadline|TLS handshake timeout|network is unreachable|no route to host",
            "unreachable", "the registry does not answer", "check the network and firewall of the server's host"),
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
            return FetchError(f"{model}: {said}: {trouble.meaning}", trouble.hint, kind=trouble.kind, text=said)
    if error.kind in ("cut", "reset"):
        return cut_off(model)
    return FetchError(f"{model}: {error.message}", error.hint, kind=error.kind, text=said)


def cut_off(model: str) -> FetchError:
    """The stream ended without a word of success: the server was stopped or killed."""
    return FetchError(
        f"{model}: the server broke off in the middle of the download",
        f"see why with `invoke logs`, then {AGAIN}",
        kind="cut",
    )


class PullMeter:
    """Progress over all layers of one pull.

    The server's figures go down when a part starts anew, lines come whether or not bytes do, small layers never show,
    and the last figure of a layer stays below its total. So: a high-water mark, a stall known by bytes, and the end
    by the word `success` alone.
    """

    def __init__(self, model: str, now_s: float, stall_s: float, give_up_s: float) -> None:
        self.model = model
        self.success = False
        self._stall_s, self._give_up_s = stall_s, give_up_s
        self._phase = "starting"
        self._layers: dict[str, tuple[int, int]] = {}
        self._latest: dict[str, int] = {}
        self._moved_s = now_s
        self._restarts = 0

    def line(self, line: Mapping[str, Any], now_s: float) -> None:
        """Take one line of the stream."""
        status, digest = text(line.get("status")), text(line.get("digest"))
        self.success = status == "success"
        phase = "pulling" if digest else printable(status)
        if phase != self._phase:
            self._phase, self._moved_s = phase, now_s
        if digest:
            self._layer(digest, number(line.get("total")) or 0, number(line.get("completed")) or 0, now_s)

    def progress(self, now_s: float) -> Progress:
        """Where it stands."""
        completed = sum(high for high, _ in self._layers.values())
        total = sum(total for _, total in self._layers.values()) or None
        if self.success:
            return Progress(self.model, "success", total or 0, total, done=True)
        phase = "resuming" if sum(self._latest.values()) < completed else self._phase
        silent_s = now_s - self._moved_s
        return Progress(self.model, phase, completed, total, stalled_s=silent_s if silent_s >= self._stall_s else None)

    def check(self, now_s: float) -> None:
        """Raises FetchError(kind="stalled") when nothing moved for too long, or it only ever starts anew."""
        silent_s = now_s - self._moved_s
        if silent_s > self._patience_s():
            raise self._stalled(f"nothing arrived for {silent_s:.0f} s ({self._phase})")
        if self._restarts > RESTARTS_LIMIT:
            raise self._stalled(f"the download started anew {self._restarts} times")

    def _layer(self, digest: str, total: int, completed: int, now_s: float) -> None:
        high, _ = self._layers.get(digest, (0, 0))
        latest = self._latest.get(digest, 0)
        if completed > latest or digest not in self._layers:
            self._moved_s = now_s
        if completed > high:
            self._restarts = 0
        elif completed < latest:
            self._restarts += 1
        self._latest[digest] = completed
        self._layers[digest] = (max(high, completed), max(total, completed))

    def _patience_s(self) -> float:
        """The digest of all bytes is checked without a line in between."""
        if self._phase.startswith("verifying"):
            total = sum(total for _, total in self._layers.values())
            return max(self._give_up_s, total / VERIFY_BYTES_PER_S)
        return self._give_up_s

    def _stalled(self, why: str) -> FetchError:
        hint = f"check the way from the server to the registry (`invoke logs`), then {AGAIN}"
        return FetchError(f"{self.model}: {why}", hint, kind="stalled")
