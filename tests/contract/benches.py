"""One bench per engine: the engine, and what the contract suite must do outside of the protocol."""

from __future__ import annotations

import contextlib
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from llmstack.domain.instance import Instance, InstanceSpec
from llmstack.engines.docker import DockerEngine
from llmstack.engines.process.engine import ProcessEngine
from llmstack.errors import LlmstackError
from llmstack.protocols import Engine
from llmstack.testing import FakeClock, FakeEngine
from tests.desk import free_port, until
from tests.rig import images
from tests.rig.host import RigHost

PROGRAM = (Path(__file__).parent / "program.py").read_text(encoding="utf-8")
LOG = ("first line", "zweite Zeile: größer", "last line")
NAME = "llmstack-contract-web"


class Bench:
    """A real engine.

    `leases`: a lock ends by its lease. `knows_intent`: an end by itself with code 0 is told from a stop.
    """

    leases = True
    knows_intent = True
    real = True

    def __init__(self, engine: Engine, spec: InstanceSpec) -> None:
        self.engine = engine
        self._spec = spec

    def spec(self, service: str = "web", does: str = "serve", **changes: object) -> InstanceSpec:
        """A spec of a program that does what the word says."""
        base = replace(self._spec, service=service, command=("-u", "-c", PROGRAM, does, "{listen}", "{port}"))
        return replace(base, **changes)  # type: ignore[arg-type]

    def get(self, instance: Instance, path: str = "/") -> str:
        """What it answers to a GET. Raises OSError when it does not."""
        endpoint = self.engine.endpoint(instance)
        assert endpoint is not None
        with urllib.request.urlopen(f"{endpoint.controller}{path}", timeout=5) as response:
            return str(response.read().decode())

    def die(self, instance: Instance) -> None:
        """Let the running program end itself with code 7."""
        until(lambda: self.get(instance))
        with contextlib.suppress(OSError):
            self.get(instance, "/die")

    @contextmanager
    def taken(self, port: int) -> Iterator[None]:
        """Let someone else listen on `port`."""
        with socket.create_server(("127.0.0.1", port)):
            yield

    def sweep(self) -> None:
        """Stop and remove whatever a test left."""
        for instance in self.engine.observe(None):
            with contextlib.suppress(LlmstackError):
                self.engine.stop(instance.container_name, 0)
            self.engine.remove(instance.container_name)
        self.engine.close()


class FakeBench(Bench):
    """The engine in memory, told by script what a real one does by itself."""

    real = False
    engine: FakeEngine

    def __init__(self) -> None:
        spec = InstanceSpec(
            stack="contract", service="web", host="localhost", type="container", engine="docker", image="i:1"
        )
        super().__init__(FakeEngine(clock=FakeClock()), replace(spec, port=free_port()))

    def spec(self, service: str = "web", does: str = "serve", **changes: object) -> InstanceSpec:
        code = int(does.removeprefix("exit:")) if does.startswith("exit:") else None
        self.engine.script(service, *LOG, exit_code=code)
        return super().spec(service, does, **changes)

    def get(self, instance: Instance, path: str = "/") -> str:
        now = self.engine.instances.get(instance.container_name)
        if not (now and now.running):
            raise ConnectionRefusedError
        return "hello, nobody"

    def die(self, instance: Instance) -> None:
        self.engine.crash(instance.container_name, 7)

    @contextmanager
    def taken(self, port: int) -> Iterator[None]:
        self.engine.occupy(port, "python (pid 1)")
        yield


class ProcessBench(Bench):
    """Real processes below a folder of the test."""

    leases = False

    def __init__(self, root: Path) -> None:
        spec = InstanceSpec(
            stack="contract",
            service="web",
            host="localhost",
            type="container",
            engine="process",
            program=("python",),
            port=free_port(),
        )
        super().__init__(ProcessEngine("localhost", root), spec)


class DockerBench(Bench):
    """Real containers in a host of the rig; the test is in the host's network."""

    knows_intent = False

    def __init__(self, host: RigHost) -> None:
        spec = InstanceSpec(
            stack="contract",
            service="web",
            host="localhost",
            type="container",
            engine="docker",
            image=host.image(images.PYTHON),
            port=free_port(),
        )
        super().__init__(DockerEngine("localhost", host.address), spec)


def started(bench: Bench, spec: InstanceSpec) -> Instance:
    bench.engine.create(spec)
    bench.engine.start(spec.name)
    return seen(bench, spec.name)


def seen(bench: Bench, name: str = NAME) -> Instance:
    instance = bench.engine.inspect(name)
    assert instance is not None
    return instance
