"""`OllamaClient`: the models inside Ollama containers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from llmstack.api.base import Closing
from llmstack.api.docker import DockerManager
from llmstack.core.asking import ask
from llmstack.core.fetching import fetched
from llmstack.domain.clock import SystemClock
from llmstack.domain.ladder import Answer
from llmstack.domain.progress import Progress
from llmstack.domain.server import ServedModel
from llmstack.domain.tabular import Rows
from llmstack.errors import UnhealthyError
from llmstack.modeltype import Ollama, same_name


class OllamaClient(Closing):
    """The models inside Ollama containers; `url` reaches a server that is no container of ours.

    Raises ServerError, FetchError (pull), NoMatchError (no such container).
    """

    def __init__(self, host: str = "localhost", *, url: str | None = None, docker: DockerManager | None = None) -> None:
        self._url = url
        self._docker = docker or DockerManager(host)

    def close(self) -> None:
        """Let go of the engine."""
        self._docker.close()

    def pull_model(
        self, model: str, container_name: str | None = None, report: Callable[[Progress], None] | None = None
    ) -> None:
        """Download, going on where it broke off; returns after the server's own word of success."""
        pull = partial(self._server(container_name).pull, model)
        fetched(model, pull, report or (lambda _: None), SystemClock())

    def list_models(self, container_name: str | None = None) -> tuple[ServedModel, ...]:
        """What is there, and what of it is loaded."""
        return Rows(self._server(container_name).models())

    def remove_model(self, model: str, container_name: str | None = None) -> None:
        """Delete it."""
        self._server(container_name).remove(model)

    def test_model(self, model: str, container_name: str | None = None) -> Answer:
        """A real request with a real answer, measured."""
        return ask(self._server(container_name), model, SystemClock().monotonic)

    def get_model_version(self, model: str, container_name: str | None = None) -> str | None:
        """Its digest, None when the server does not have it."""
        return next((one.digest for one in self.list_models(container_name) if same_name(model, one.name)), None)

    def _server(self, container_name: str | None) -> Ollama:
        if container_name is None:
            return Ollama(self._url or "http://127.0.0.1:11434")
        there = self._docker.get_container_status(container_name)
        endpoint = self._docker.engine.endpoint(there)
        if endpoint is None or endpoint.controller is None:
            raise UnhealthyError(f"{container_name} publishes no port", "give the service a `port:`")
        return Ollama(endpoint.controller)
