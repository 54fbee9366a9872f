"""`ModelManager`: what the store knows of models."""

from __future__ import annotations

import os

from llmstack.api.base import Closing
from llmstack.api.docker import DockerManager
from llmstack.core.adopted import wanted_of
from llmstack.core.desired import Wanted
from llmstack.core.look import Look
from llmstack.core.remember import keep_row
from llmstack.core.sync import Seen, differences
from llmstack.domain.clock import SystemClock
from llmstack.domain.instance import Instance, State
from llmstack.domain.report import Difference
from llmstack.domain.stored import StoredModel
from llmstack.domain.tabular import Rows
from llmstack.domain.target import Target
from llmstack.errors import NoMatchError
from llmstack.store import open_store
from llmstack.store.store import Store


class ModelManager(Closing):
    """What the store knows of models, and how it is kept true. Raises StoreError."""

    def __init__(self, store: str | None = None, *, docker: DockerManager | None = None) -> None:
        self._store: Store = open_store(store, os.environ)
        self._docker = docker or DockerManager()

    def close(self) -> None:
        """Let go of store and engine."""
        self._store.close()
        self._docker.close()

    def sync_with_docker(self) -> tuple[Difference, ...]:
        """Make the store say what Docker runs; returns what it had wrong."""
        engine, registry = self._docker.engine, self._docker.registry
        found = [(there, wanted) for there in engine.observe(None) if (wanted := wanted_of(there, registry))]
        looks = [self._docker.look(there) for there, _ in found]
        seen = [_seen(there, wanted, look) for (there, wanted), look in zip(found, looks, strict=True)]
        stored = [row for row in self._store.models() if row.host == engine.host and row.engine == "docker"]
        wrong = differences(stored, seen, SystemClock().now())
        for (there, wanted), look in zip(found, looks, strict=True):
            keep_row(wanted, there, look, self._store)
        here = {there.container_name for there, _ in found}
        for row in stored:
            if row.state is not State.ABSENT and row.container_name not in here:
                self._store.gone(Target(row.name, row.host), row.container_name, on_purpose=False)
        return Rows(wrong)

    def get_active_models(self) -> tuple[StoredModel, ...]:
        """The models that were ready when last seen, with their URLs."""
        return Rows(self._store.active_models())

    def update_model_version(self, container_name: str, version: str | None) -> int:
        """Note the installed version of a container's models; returns how many there are. Raises NoMatchError."""
        return _some(self._store.set_version(container_name, version), container_name)

    def set_model_status(self, container_name: str, status: str) -> int:
        """Note `active` or `inactive`; returns how many models there are. Raises NoMatchError, UsageError."""
        return _some(self._store.set_status(container_name, status), container_name)

    def create_model(self, model: StoredModel) -> StoredModel:
        """Note a model; one of the same host, container and name is overwritten. Returns it with its times."""
        return self._store.upsert_model(model)

    def get_model(self, host: str, container_name: str, name: str) -> StoredModel | None:
        """One model, None when it is not known."""
        return self._store.model(host, container_name, name)

    def get_models(self) -> tuple[StoredModel, ...]:
        """All models."""
        return Rows(self._store.models())

    update_model = create_model

    def delete_model(self, host: str, container_name: str, name: str) -> bool:
        """Forget a model; whether it was known."""
        return self._store.delete_model(host, container_name, name)


def _seen(there: Instance, wanted: Wanted, look: Look) -> Seen:
    names = tuple(model.name for model in wanted.placement.models) or (there.service,)
    return Seen(instance=there, names=names, state=look.state, version=look.version, url=look.url)


def _some(count: int, container_name: str) -> int:
    if not count:
        raise NoMatchError(f"no model in container '{container_name}' is known", "run sync_with_docker() first")
    return count
