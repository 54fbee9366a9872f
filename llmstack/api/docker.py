"""`DockerManager`: the containers of llmstack on one Docker engine."""

from __future__ import annotations

from collections.abc import Mapping

from llmstack.api.base import Closing
from llmstack.core.adopted import look_by_label, wanted_of
from llmstack.core.context import Context
from llmstack.core.gpus import holders, with_gpu
from llmstack.core.health import prove
from llmstack.core.ladder import Climb
from llmstack.core.look import Look
from llmstack.core.observe import in_parallel
from llmstack.core.stopping import STOP_GRACE_S, stop_for_good
from llmstack.domain.clock import SystemClock
from llmstack.domain.event import Nobody
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance
from llmstack.domain.ladder import Ladder
from llmstack.domain.tabular import Named
from llmstack.domain.usage import Usage
from llmstack.engines.book import EngineBook
from llmstack.errors import NoMatchError, UnhealthyError
from llmstack.gpu.nvml import NvmlReader
from llmstack.modeltype.registry import Registry
from llmstack.protocols import Engine


class DockerManager(Closing):
    """The containers of llmstack on one Docker engine, by container or service name; needs no inventory.

    Raises UnreachableError when the engine does not answer, NoMatchError for an unknown container.
    """

    def __init__(self, host: str = "localhost", docker_host: str | None = None) -> None:
        self._host = Host(name=host, docker_host=docker_host)
        self._engines, self.registry = EngineBook(), Registry()
        clock = SystemClock()
        self._context = Context(task="api", engine_of=self._engines.get, clock=clock, sink=Nobody(), gpus=NvmlReader())

    def close(self) -> None:
        """Let go of connections."""
        self._engines.close()

    @property
    def engine(self) -> Engine:
        """The engine behind it."""
        return self._engines.get(self._host, "docker")

    def get_stack_status(self) -> Mapping[str, Look]:
        """Container name -> state, version and URL of every container of ours."""
        found = self.engine.observe(None)
        looks = in_parallel(self.look, list(found), self._context.forks)
        return Named({there.container_name: seen for there, seen in zip(found, looks, strict=True)})

    def get_container_status(self, name: str) -> Instance:
        """All facts that the engine knows of one container."""
        named = (row.container_name for row in self.engine.observe(None) if row.service == name)
        found = self.engine.inspect(name) or self.engine.inspect(next(named, name))
        if found is None:
            known = ", ".join(sorted(row.container_name for row in self.engine.observe(None))) or "none"
            raise NoMatchError(f"no container '{name}' on {self._host.name}", f"containers of llmstack: {known}")
        return found

    def start_container(self, name: str) -> Ladder:
        """Start it and climb its ladder. Raises UnhealthyError when it does not get ready."""
        there = self.get_container_status(name)
        self.engine.start(there.container_name)
        ladder = self.validate_container_health(there.container_name, wait_s=None)
        if not ladder.ok:
            raise UnhealthyError(f"{name} is not ready: {ladder.why.summary if ladder.why else 'see its ladder'}")
        return ladder

    def stop_container(self, name: str, timeout_s: float = STOP_GRACE_S) -> None:
        """Stop it; returns when its port and the GPU memory of its processes are free.

        Raises LlmstackError naming what stays.
        """
        stop_for_good(self._context, self.engine, self.get_container_status(name), timeout_s)

    def get_container_stats(self, name: str) -> Usage | None:
        """CPU, memory and GPU memory of a running container; None when it does not run."""
        there = self.get_container_status(name)
        usage = self.engine.usages([there.container_name]).get(there.container_name)
        gpus = (self._context.gpus.gpus() if self._host.local else None) or ()
        return usage and with_gpu(usage, there.container_name, gpus, holders(gpus, self._context), there.spec)

    def validate_container_health(self, name: str, *, wait_s: float | None = 5.0) -> Ladder:
        """Ask the model's own API: every rung with its time, and why one failed."""
        there = self.get_container_status(name)
        wanted = wanted_of(there, self.registry)
        if wanted is None or wanted.type is None:
            raise UnhealthyError(f"{name} says nothing of what it serves", "start it by `llmstack up`")
        model = next(iter(wanted.placement.models), None)
        climb = Climb(context=self._context, wanted=wanted, target=there.target, model=model, deep=False, wait_s=wait_s)
        return prove(climb, there)

    def look(self, there: Instance) -> Look:
        """One cheap look at a container's server."""
        return look_by_label(self._context, there, self.registry)
