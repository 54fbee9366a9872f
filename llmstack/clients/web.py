"""Companions that serve no model themselves: web UIs, databases, anything with a page."""

from __future__ import annotations

from collections.abc import Iterator

from llmstack.clients.http import Http
from llmstack.clients.liveness import look
from llmstack.clients.replies import server_error
from llmstack.clients.speed import text
from llmstack.domain.server import ChatChunk, Liveness, ServedModel
from llmstack.errors import ServerError
from llmstack.protocols import Clock


class Web:
    """Ready when GET `path` answers with any status below 500; `version_path` names a JSON page that tells its version
    under `version_key`."""

    def __init__(
        self,
        base_url: str,
        path: str = "/",
        *,
        version_path: str | None = None,
        version_key: str = "version",
        clock: Clock | None = None,
    ) -> None:
        self.http = Http(base_url, clock=clock)
        self.base_url = self.http.base_url
        self._path, self._version_path, self._version_key = path, version_path, version_key

    def liveness(self) -> Liveness:
        """GET the page: a redirect or a login is an answer too."""
        return look(self._alive)

    def version(self) -> str | None:
        """What it says of itself; None without a page for it."""
        if self._version_path is None:
            return None
        return text(self.http.get(self._version_path).json().get(self._version_key)) or None

    def models(self) -> tuple[ServedModel, ...]:
        """None of its own."""
        return ()

    def chat(
        self,
        model: str,  # noqa: ARG002 - as every client
        prompt: str,  # noqa: ARG002
        *,
        max_tokens: int | None = None,  # noqa: ARG002
        seed: int | None = None,  # noqa: ARG002
    ) -> Iterator[ChatChunk]:
        """Raises ServerError(kind="unsupported"): it has no model."""
        raise server_error("unsupported", f"{self.http.where} serves no model to ask")

    def _alive(self) -> None:
        try:
            self.http.get(self._path)
        except ServerError as error:
            if error.status is None or error.status >= 500:
                raise
