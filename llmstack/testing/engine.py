"""An engine in memory: scripted, recorded and without delay, with the semantics of `llmstack.protocols.Engine`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

from llmstack.domain import codec
from llmstack.domain.endpoint import Endpoint
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.happening import Happening, What
from llmstack.domain.instance import Instance, InstanceSpec, Need, State
from llmstack.domain.progress import Progress
from llmstack.domain.usage import Usage
from llmstack.errors import LlmstackError, LockedError, PreflightError
from llmstack.protocols import Ability, Renew, Report
from llmstack.testing.script import Script
from llmstack.testing.volumes import VolumesInMemory


class FakeEngine(VolumesInMemory):
    """Runs nothing and remembers everything.

    `calls` holds `(verb, name)` in order, `writes` those that change something. `instances` is what is there, by
    container name; tests may put instances in by `add`. The other public methods without a twin in the protocol script
    the engine: `refuse`, `allow`, `lack`, `occupy`, `script`, `crash`, `say`, `add_stranger`, `tell`.
    """

    def describe(self) -> str:
        """`fake` and the kind it stands for."""
        self._call("describe")
        return f"fake {self.kind}"

    def facts(self) -> EngineFacts:
        """What `told` says."""
        self._call("facts")
        return self.told or EngineFacts(name=self.describe(), now=self.clock.now())

    def observe(self, stack: str | None) -> tuple[Instance, ...]:
        """All instances of `stack`; one call."""
        self._call("observe", stack or "")
        return tuple(one for one in self.instances.values() if stack is None or one.stack == stack)

    def inspect(self, name: str) -> Instance | None:
        """One instance by name."""
        self._call("inspect", name)
        return self.instances.get(name)

    def strangers(self) -> tuple[Instance, ...]:
        """What `add_stranger` put there."""
        self._call("strangers")
        return tuple(self._strangers)

    def missing(self, spec: InstanceSpec) -> tuple[Need, ...]:
        """What `lack` named."""
        self._call("missing", spec.name)
        return self._needs.get(spec.service, ())

    def pins(self, image: str) -> tuple[str, ...]:
        """What `tags` says of it; an id means itself."""
        self._call("pins", image)
        return (self.tags.get(image, image),) if image else ()

    def newest(self, image: str) -> str | None:
        """What `registry` says of it."""
        self._call("newest", image)
        return self.registry.get(image)

    def tag(self, pin: str, image: str) -> None:
        """In `tags`."""
        self._call("tag", image)
        self.tags[image] = pin

    def fetch(self, need: Need, spec: InstanceSpec, report: Report) -> None:
        """Report half and all of it; the need is gone then."""
        self._call("fetch", need.name)
        total = need.size_bytes or 100
        report(Progress(need.name, "fetching", total // 2, total))
        report(Progress(need.name, "fetching", total, total, done=True))
        self._needs[spec.service] = tuple(one for one in self._needs.get(spec.service, ()) if one != need)

    def decide_port(self, spec: InstanceSpec) -> int:
        """The first port from the type's own upwards that nobody holds or was promised."""
        self._call("decide_port", spec.name)
        promised = {one.port for one in self.instances.values() if one.container_name != spec.name}
        port = spec.container_port or 8000
        while port in self.occupied or port in promised:
            port += 1
        return port

    def check_port(self, spec: InstanceSpec) -> None:
        """Raises PreflightError naming the holder."""
        self._call("check_port", spec.name)
        self._check_port(spec.host_port, spec.name)

    def check_place(self, spec: InstanceSpec) -> None:
        """Raises PreflightError naming the holder of the port, or an instance of another stack that has the name."""
        self._call("check_place", spec.name)
        if spec.name in self.instances and self.instances[spec.name].stack != spec.stack:
            raise PreflightError(f"the name {spec.name} on {self.host} is taken", holder=spec.name)
        self._check_port(spec.host_port, spec.name)

    def create(self, spec: InstanceSpec) -> Instance:
        """Put a stopped instance there that carries `spec` as its label would."""
        self._call("create", spec.name)
        self._check_free(spec.name)
        if spec.port == "auto" and spec.host_port is None:
            raise LlmstackError(f"{spec.name}: its port is not decided yet")
        self._created += 1
        instance = Instance(
            id=f"fake-{self._created:04}",
            container_name=spec.name,
            service=spec.service,
            host=self.host,
            engine=self.kind,
            state=State.STOPPED,
            stack=spec.stack,
            spec=codec.loads(codec.dumps(spec)),
            image=spec.image,
            image_id=spec.decided.get("image") or self.tags.get(spec.image or "", spec.image),
            port=spec.host_port,
            created_at=self.clock.now(),
            restarts=0,
            restart_policy=spec.restart,
        )
        self.instances[spec.name] = instance
        self.tell(spec.name, What.CREATED)
        self._make_volumes(spec)
        return instance

    def start(self, name: str) -> None:
        """Run it, then do what its `script` says."""
        self._call("start", name)
        was = self._there(name)
        if was.running:
            return
        self._check_port(was.port, name)
        self._put(was, state=State.STARTING, running=True, started_at=self.clock.now(), pid=4242, exit_code=None)
        self.tell(name, What.STARTED)
        script = self._scripts.get(was.service, Script())
        self.say(name, *script.log)
        if script.exit_code is not None:
            self._crash_loop(self.instances[name], script)

    def stop(self, name: str, timeout_s: float) -> None:  # noqa: ARG002 - nothing takes time here
        """Stop at once."""
        self._call("stop", name)
        was = self._there(name)
        if was.running:
            self.tell(name, What.STOPPED)
            self._end(was, state=State.STOPPED, exit_code=143)

    def remove(self, name: str) -> None:
        """Forget it and its log. Raises LlmstackError while it runs."""
        self._call("remove", name)
        was = self.instances.get(name)
        if was and was.running:
            raise LlmstackError(f"{name} is running", hint="stop it first")
        if self.instances.pop(name, None):
            self.tell(name, What.REMOVED)
        self._logs.pop(name, None)

    def stop_and_remove(self, there: Instance, timeout_s: float) -> None:
        """One after the other."""
        self.stop(there.container_name, timeout_s)
        self.remove(there.container_name)

    def rename(self, name: str, new_name: str) -> None:
        """Give it another name; its log goes with it."""
        self._call("rename", name)
        was = self._there(name)
        self._check_free(new_name)
        del self.instances[name]
        self._logs[new_name] = self._logs.pop(name, [])
        self._put(was, container_name=new_name)
        self.tell(name)
        self.tell(new_name)

    def execute(self, name: str, command: Sequence[str]) -> None:  # noqa: ARG002 - the protocol's name
        """Only counted."""
        self._call("execute", name)
        self._there(name)

    def logs(self, name: str, *, tail: int | None = None, follow: bool = False) -> Iterator[str]:  # noqa: ARG002 - all is there
        """The lines that were said."""
        self._call("logs", name)
        self._there(name)
        lines = self._logs.get(name, [])
        return iter(lines[max(0, len(lines) - tail) :] if tail is not None else list(lines))

    def events(self) -> Iterator[Happening | None]:
        """What the other verbs do, and what `tell` tells."""
        self._call("events")
        heard = SimpleQueue[Happening | bool | None]()
        self._listeners.append(heard)
        heard.put(None)
        while not isinstance(happening := heard.get(), bool):
            yield happening

    def starved(self, name: str) -> bool | None:
        """What its instance says."""
        self._call("starved", name)
        there = self.instances.get(name)
        return there.out_of_memory if there else None

    @contextmanager
    def lock(self, stack: str, owner: str, lease_s: float) -> Iterator[Renew]:
        """One holder a stack, until the lease ends by the clock."""
        self._call("lock", stack)
        _, holder, expires = self._locks.get(stack, (None, "", 0.0))
        if expires > self.clock.now():
            raise LockedError(f"{stack}@{self.host} is locked by {holder}", holder=holder)
        mine = object()

        def renew() -> None:
            self._call("renew", stack)
            if self._locks.get(stack, (None, "", 0.0))[0] is not mine:
                raise LockedError(f"the lock of {stack} was taken over")
            self._locks[stack] = (mine, owner, self.clock.now() + lease_s)

        self._locks[stack] = (mine, owner, self.clock.now() + lease_s)
        self.litter = False
        try:
            yield renew
        finally:
            if self._locks.get(stack, (None, "", 0.0))[0] is mine:
                del self._locks[stack]

    def littered(self, stack: str) -> bool:  # noqa: ARG002 - as a test says
        """What `litter` says; who takes the lock tidies up."""
        return self.litter

    def endpoint(self, instance: Instance) -> Endpoint | None:
        """The port on loopback, and by service name where there is a network."""
        if instance.port is None:
            return None
        inner = instance.spec.container_port if instance.spec else None
        inside = f"http://{instance.service}:{inner or instance.port}" if Ability.NETWORK in self.abilities else None
        return Endpoint(f"http://127.0.0.1:{instance.port}", inside)

    def pids(self, name: str) -> tuple[int, ...] | None:
        """The pid of what runs."""
        self._call("pids", name)
        was = self._there(name)
        return (was.pid,) if was.running and was.pid else ()

    def usages(self, names: Collection[str], *, quick: bool = False) -> dict[str, Usage]:  # noqa: ARG002
        """One core, 64 MiB; `measured` says otherwise."""
        self._call("usages", " ".join(names))
        running = [name for name in names if name in self.instances and self.instances[name].running]
        return {name: self.measured.get(name, Usage(cpu_percent=100.0, memory_bytes=64 << 20)) for name in running}

    def close(self) -> None:
        """Note that it was closed; who listens hears no more."""
        self.closed = True
        while self._listeners:
            self._listeners.pop().put(False)
