"""Docker behind the Engine protocol."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from llmstack.domain import newer
from llmstack.domain.endpoint import Endpoint
from llmstack.domain.instance import Instance, InstanceSpec
from llmstack.engines.addresses import ANYWHERE, reached, url_of
from llmstack.engines.docker import logs, network, rows, stacklock
from llmstack.engines.docker.address import resolve
from llmstack.engines.docker.body import GRACE_S, container_body, inner_port
from llmstack.engines.docker.images import WithImages
from llmstack.engines.docker.inside import WithCommands, inside
from llmstack.engines.docker.sampler import Sampler
from llmstack.engines.docker.seen import Seen
from llmstack.engines.docker.strangers import strangers
from llmstack.engines.docker.volumes import WithVolumes
from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.engines.labels import ROLE, SERVE, STACK
from llmstack.errors import LlmstackError, NoMatchError, PreflightError, UnreachableError
from llmstack.protocols import Ability, Renew

if TYPE_CHECKING:
    from llmstack.domain.engine_facts import EngineFacts
    from llmstack.domain.happening import Happening
    from llmstack.domain.leftover import Leftover
    from llmstack.domain.usage import Usage

GONE_S, LOOK_AGAIN_S = 10.0, 0.05


class DockerEngine(WithImages, WithVolumes, WithCommands):
    """Instances as containers of one engine; `host` is its name in the inventory.

    `docker_host` is the engine's address (`unix://`, `tcp://`); without one DOCKER_HOST, DOCKER_CONTEXT, the current
    docker context and the default socket are tried in this order. Nothing is connected before the first call. Raises
    ConfigError for an address or context that cannot be used. May be shared by threads.
    """

    def __init__(self, host: str, docker_host: str | None = None) -> None:
        self.kind = "docker"
        self.host = host
        self.abilities: frozenset[Ability] = frozenset(Ability)
        self._wire = Wire(resolve(docker_host, os.environ), host)
        self._seen = Seen()
        self._sampler = Sampler(self._wire)
        self._littered: dict[str | None, bool] = {}
        self._over = threading.Event()

    def describe(self) -> str:
        """`docker 28.5.2`, or `podman 5.8.6`."""
        with self._wire.doing("ask for its version") as api:
            version = api.version()
        return f"{'podman' if self._wire.podman else 'docker'} {version.get('Version', '')}".strip()

    def facts(self) -> EngineFacts:
        """By `/version` and `/info`."""
        from llmstack.engines.docker.facts import facts_of

        name = self.describe()
        with self._wire.doing("ask for its facts") as api:
            return facts_of(name, self._wire.version, api.info(), self._wire.address)

    def observe(self, stack: str | None) -> tuple[Instance, ...]:
        """One list call, and an inspect of each that does not run as it should, since only that tells why."""
        ours = self._rows({"label": [ROLE, f"{STACK}={stack}" if stack else STACK]})
        self._littered[stack] = stacklock.is_litter(ours)
        found = [rows.from_row(row, self.host) for row in ours if row["Labels"].get(ROLE) == SERVE]
        self._seen.look(stack, (each.container_name for each in found))
        return tuple(
            told
            for each in found
            if (told := self.inspect(each.container_name) if each.error or not each.running else each) is not None
        )

    def inspect(self, name: str) -> Instance | None:
        """All facts of one container, ours or not."""
        with self._wire.doing(f"inspect {name}") as api:
            try:
                return rows.from_inspect(api.inspect_container(name), self.host)
            except api.not_found:
                return None

    def strangers(self) -> tuple[Instance, ...]:
        """Running containers that look like model servers by image, name or port."""
        return strangers(self._rows(running=True), self.host)

    def decide_port(self, spec: InstanceSpec) -> int:
        """First port from the type's own upward that no container publishes or was promised, and no process holds."""
        from llmstack.engines.docker import ports

        return ports.free(spec, self._rows(), local=self._wire.address.local)

    def check_port(self, spec: InstanceSpec) -> None:
        """Asks the engine's containers, and on this machine the system."""
        from llmstack.engines.docker import ports

        if spec.host_port is None:
            return
        filters = {} if self._wire.podman else {"publish": [str(spec.host_port)]}
        ports.check(spec, self._rows(filters, running=True), local=self._wire.address.local)

    def check_place(self, spec: InstanceSpec) -> None:
        """By one list of everything there is, and on this machine the system."""
        from llmstack.engines.docker import ports

        self._check_gpus(spec)
        everything = self._seen.rows(self._rows)
        ports.check_name(spec, everything)
        ports.check(spec, everything, local=self._wire.address.local)

    def create(self, spec: InstanceSpec) -> Instance:
        """Create the container, with its network and volume if they are not there."""
        self._check_gpus(spec)
        body = container_body(spec, podman=self._wire.podman)
        self._seen.once("network", spec.stack, lambda: network.ensure(self._wire, spec))
        with self._wire.doing(f"create {spec.name}", timeout_s=WRITE_S) as api:
            made = api.make(body, spec.name)
        row = {"Id": made, "Names": [spec.name], "State": "created", "Image": spec.image, "Labels": body["Labels"]}
        return rows.from_row(row, self.host)

    def start(self, name: str) -> None:
        """Start it, or let it go on. A port that is taken is named with its holder."""
        try:
            with self._wire.doing(f"start {name}", timeout_s=WRITE_S) as api:
                api.thawed(name, lambda: api.start(name))
        except PreflightError as error:
            if error.data.get("port_taken") and (spec := self._there(name).spec):
                self.check_port(spec)
            raise

    def stop(self, name: str, timeout_s: float) -> None:
        """Stop it, then make sure that it is gone and its port is free; its name in the network goes with its end."""
        with self._wire.doing(f"stop {name}", timeout_s=WRITE_S) as api:
            ran = api.halt(name, max(0, round(timeout_s)))
        self._settled(name, lambda: self._stays(name, ran))

    def remove(self, name: str) -> None:
        """Remove it with its anonymous volumes, and the stack's network with the last one. Named volumes stay."""
        stack = self._seen.stack_of(name) or getattr(self.inspect(name), "stack", None)
        with self._wire.doing(f"remove {name}", timeout_s=WRITE_S) as api, contextlib.suppress(api.not_found):
            api.remove_container(name, v=True)
        ours = {"label": [f"{ROLE}={SERVE}", f"{STACK}={stack}"]}
        if stack and self._seen.left(stack, name) and not self._rows(ours):
            network.remove(self._wire, stack)

    def stop_and_remove(self, there: Instance, timeout_s: float) -> None:
        """An engine removes nothing that runs, so that its removal is the proof."""
        name = there.container_name
        with self._wire.doing(f"stop {name}", timeout_s=WRITE_S) as api:
            ran = api.halt(name, max(0, round(timeout_s)))
        try:
            self.remove(name)
        except UnreachableError:
            raise
        except LlmstackError:
            self.stop(name, timeout_s)
            self.remove(name)
        self._settled(name, lambda: self._holds(there) if ran else None)

    def rename(self, name: str, new_name: str) -> None:
        """Another name; its alias in the network stays."""
        with self._wire.doing(f"rename {name}", timeout_s=WRITE_S) as api:
            api.rename(name, new_name)

    def logs(self, name: str, *, tail: int | None = None, follow: bool = False) -> Iterator[str]:
        """Lines; `follow` goes on until the container ends, the engine breaks off, or the iterator is closed."""
        with self._wire.doing(f"read the log of {name}") as api:
            tty = bool((api.inspect_container(name).get("Config") or {}).get("Tty"))
            wanted = {"stdout": 1, "stderr": 1, "follow": int(follow), "tail": "all" if tail is None else tail}
            wait = (api.timeout, None if follow else WRITE_S)
            # docker-py's own way loses which stream a piece belongs to
            with api.raw("GET", "/containers/{0}/logs", name, params=wanted, stream=True, timeout=wait) as response:
                chunks = response.iter_content(chunk_size=None)
                yield from logs.lines(((1, chunk) for chunk in chunks) if tty else logs.frames(chunks))

    def events(self) -> Iterator[Happening | None]:
        """By the engine's own stream."""
        from llmstack.engines.docker.happenings import follow

        return follow(self._wire, self._over)

    def starved(self, name: str) -> bool | None:
        """By its last events, of which it keeps 256."""
        from llmstack.engines.docker.happenings import starved

        return starved(self._wire, self._there(name).id)

    def lock(self, stack: str, owner: str, lease_s: float) -> contextlib.AbstractContextManager[Renew]:
        """A container that never starts, on the host itself, so that every controller sees it."""
        return stacklock.lock(self._wire, stack, owner, lease_s, littered=self.littered(stack))

    def littered(self, stack: str) -> bool:
        """By the list call of `observe`."""
        return self._littered.get(stack, False)

    def endpoint(self, instance: Instance) -> Endpoint | None:
        """By the published port from this machine and others, by service name inside the stack's network."""
        spec = instance.spec
        inner = inner_port(spec) if spec else None
        inside = f"http://{instance.service}:{inner}" if inner else None
        if instance.port is None:
            return Endpoint(None, inside) if inside else None
        bind = spec.bind if spec else "127.0.0.1"
        here, there = self._reached(bind)
        return Endpoint(here and url_of(here, instance.port), inside, there and url_of(there, instance.port))

    def pids(self, name: str) -> tuple[int, ...] | None:
        """As this machine counts them, where it runs them."""
        was = self._there(name)
        return (inside(was.id) or None) if was.running else ()

    def usages(self, names: Collection[str], *, quick: bool = False) -> dict[str, Usage]:
        """All at once, of what the list says runs."""
        rows_now = {rows.container_name(row): str(row["Id"]) for row in self._rows(running=True)}
        return self._sampler.usages({name: rows_now[name] for name in names if name in rows_now}, quick=quick)

    def leftovers(self, stack: str | None) -> tuple[Leftover, ...]:
        """By their labels; sizes of volumes as the engine measures them."""
        from llmstack.engines.docker.leftovers import found

        return tuple(found(self._wire, stack))

    def discard(self, leftover: Leftover) -> None:
        """An instance is stopped first, verified."""
        from llmstack.domain.leftover import LeftoverKind
        from llmstack.engines.docker.leftovers import discard

        if leftover.kind is LeftoverKind.CONTAINER and (there := self.inspect(leftover.name)):
            newer.check(there)
            self.stop(leftover.name, GRACE_S)
        discard(self._wire, leftover)

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._over.set()
        self._over = threading.Event()
        self._sampler.close()
        self._wire.close()

    def _rows(self, filters: Mapping[str, Any] | None = None, *, running: bool = False) -> list[Mapping[str, Any]]:
        with self._wire.doing("list containers") as api:
            return list(api.containers(all=not running, filters=dict(filters or {})))

    def _check_gpus(self, spec: InstanceSpec) -> None:
        if spec.limits.gpus and self._wire.ignores_gpus:
            message = f"the Podman of {self.host} is older than 5.5, and would start {spec.name} without its GPU"
            raise PreflightError(message, "update Podman, use Docker, or leave `gpus` out")

    def _there(self, name: str) -> Instance:
        found = self.inspect(name)
        if found is None:
            raise NoMatchError(f"no container {name} on {self.host}", "`status` shows what is there")
        return found

    def _settled(self, name: str, stays: Callable[[], str | None]) -> None:
        """Return when nothing of it stays. Raises LlmstackError naming what does."""
        deadline = time.monotonic() + GONE_S
        while left := stays():
            if time.monotonic() > deadline:
                raise LlmstackError(f"{name} on {self.host} was stopped, but {left}", f"docker rm -f {name}")
            time.sleep(LOOK_AGAIN_S)

    def _stays(self, name: str, ran: bool) -> str | None:
        """What of a stopped instance is still there, in words; it held its port if it `ran`."""
        now = self.inspect(name)
        return "it still runs" if now and now.running else self._holds(now) if ran and now else None

    def _holds(self, there: Instance) -> str | None:
        """Whether its port is not free yet, in words."""
        from llmstack.engines.docker import ports

        port, spec = there.port, there.spec
        if port is None or spec is None or not self._wire.address.local:
            return None
        holder = ports.holder(spec.bind, port)
        return f"its port {port} is still held by {holder}" if holder else None

    def _reached(self, bind: str) -> tuple[str | None, str | None]:
        """Names under which a port bound to `bind` is reached from here, and from other machines."""
        address, (here, there) = self._wire.address, reached(bind, self.host)
        if address.local:
            return here, there
        return (address.host, address.host) if bind in ANYWHERE else (there, there)
