"""Companions that serve no model themselves: web UIs, databases, anything with a page."""

from __future__ import annotations

from collections.abc import Iterator

from llmstack.clients.http import HttpClient, look
from llmstack.clients.replies import server_error
from llmstack.domain.server import ChatChunk, Liveness, ServedModel
from llmstack.errors import ServerError


class Web(HttpClient):
    """Ready when GET `path` answers with any status below 500."""

    def __init__(self, base_url: str, path: str = "/") -> None:
        super().__init__(base_url)
        self._path = path

    def liveness(self) -> Liveness:
        """GET the page: a redirect or a login is an answer too."""
        return look(self._alive)

    def models(self) -> tuple[ServedModel, ...]:
        """None of its own."""
        return ()

    def chat(self, *_: object, **__: object) -> Iterator[ChatChunk]:
        """Raises ServerError(kind="unsupported"): it has no model."""
        raise server_error("unsupported", f"{self.http.where} serves no model to ask")

    def _alive(self) -> None:
        try:
            self.http.get(self._path)
        except ServerError as error:
            if error.status is None or error.status >= 500:
                raise
