"""The embedded engine behind the Engine protocol: one folder and one shim per instance."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import llmstack
from llmstack.domain import newer
from llmstack.domain.endpoint import Endpoint
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.happening import Happening
from llmstack.domain.instance import Instance, InstanceSpec, Need
from llmstack.domain.leftover import Leftover
from llmstack.domain.secret import Sealed
from llmstack.domain.usage import Usage
from llmstack.domain.weights import whole
from llmstack.engines import labels, ports
from llmstack.engines.addresses import reached, url_of
from llmstack.engines.process import happenings, leftovers, log, processes
from llmstack.engines.process.disk import ROOT_ENV, disk, free_bytes, move
from llmstack.engines.process.files import CREATED, LABELS, LOCK, STATE, is_held, locked, write_json
from llmstack.engines.process.launch import argv_of, launch_of, run_shim
from llmstack.engines.process.look import KIND, look
from llmstack.engines.process.novolumes import NoVolumes
from llmstack.engines.process.stacklock import stack_lock
from llmstack.engines.process.stopping import stop
from llmstack.engines.process.strangers import strangers
from llmstack.errors import LlmstackError, NoMatchError, PreflightError
from llmstack.protocols import Ability, Renew, Report

GRACE_S = 30.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class ProcessEngine(NoVolumes):
    """Instances as processes of this machine.

    `root` holds a folder per instance (default: the user's state directory, or LLMSTACK_PROCESS_ROOT). Values of
    secrets live in this object and in the servers' environments alone.
    """

    def __init__(self, host: str, root: Path | None = None) -> None:
        self.kind = KIND
        self.host = host
        self.abilities: frozenset[Ability] = frozenset()
        self.root = (root or _default_root()).absolute()
        self._secrets: dict[str, dict[str, str]] = {}
        self._promised: dict[str, int] = {}
        self._over = threading.Event()

    def describe(self) -> str:
        """`process 1.0.0`."""
        return f"{KIND} {llmstack.__version__}"

    def facts(self) -> EngineFacts:
        """Its folder, and the room there and in memory."""
        return processes.machine(self.describe(), self.root, free_bytes(self.root))

    def observe(self, stack: str | None) -> tuple[Instance, ...]:
        """Reads each folder's files and tries its lock. Raises UnreachableError when the root cannot be read."""
        folders: list[Path] = []
        with disk(self.root), contextlib.suppress(FileNotFoundError):
            folders = sorted(self.root.iterdir())
        found = (look(folder, self.host) for folder in folders if NAME.fullmatch(folder.name) and folder.is_dir())
        return tuple(instance for instance in found if stack is None or instance.stack == stack)

    def inspect(self, name: str) -> Instance | None:
        """As `observe`, of one instance."""
        folder = self.root / name
        return look(folder, self.host) if NAME.fullmatch(name) and folder.is_dir() else None

    def strangers(self) -> tuple[Instance, ...]:
        """Processes that listen and look like model servers."""
        ours = {pid for instance in self.observe(None) for pid in processes.tree(instance.pid, instance.id)}
        return strangers(self.host, ours)

    def missing(self, spec: InstanceSpec) -> tuple[Need, ...]:
        """A model file from elsewhere; PreflightError for a program or file that is not there."""
        argv_of(spec)
        if spec.mounts:
            raise PreflightError(
                f"{spec.target}: a process has no mounts", "set `engine: docker`, or use paths in args"
            )
        if spec.weights and spec.weights.remote:
            return () if whole(spec.weights) else (Need(kind="weights", name=spec.weights.source),)
        if spec.weights is None or Path(spec.weights.path).exists():
            return ()
        raise PreflightError(f"{spec.target}: model file {spec.weights.path} is not there", "correct `source:`")

    def fetch(self, need: Need, spec: InstanceSpec, report: Report) -> None:
        """Nothing is left to do: a process reads model files where they were fetched to."""

    def decide_port(self, spec: InstanceSpec) -> int:
        """First free port from the type's own upward that no other instance here was given."""
        others = {port for name, port in self._promised.items() if name != spec.name}
        others |= {each.port for each in self.observe(None) if each.port and each.container_name != spec.name}
        self._promised[spec.name] = port = ports.free(spec, spec.container_port, others)
        return port

    def check_port(self, spec: InstanceSpec) -> None:
        """Binds the port for a moment; the instance that `spec` would replace may hold it."""
        port = spec.host_port
        if port is None or not (error := ports.bind_error(spec.bind, port)):
            return
        mine = self.inspect(spec.name)
        own = processes.tree(mine.pid, mine.id) if mine and mine.running else {}
        if not own or any(holder.pid not in own for holder in ports.holders(spec.bind, port)):
            raise ports.refused(spec, error)

    def check_place(self, spec: InstanceSpec) -> None:
        """A folder of that name is another stack's where it does not say that it is of this one."""
        there = self.inspect(spec.name)
        if there and there.stack != spec.stack:
            whose = f"an instance of {f'stack {there.stack}' if there.stack else 'somebody else'}"
            message = f"{spec.target}: the name {spec.name} is taken by {whose} in {self.root}"
            raise PreflightError(message, "give the service or the stack another name", holder=spec.name)
        self.check_port(spec)

    def create(self, spec: InstanceSpec) -> Instance:
        """Make the folder as a whole or not at all; nothing runs yet."""
        written = labels.labels_of(spec)
        instance_id = uuid.uuid4().hex
        with disk(self.root):
            self._prepare_root()
            draft = Path(tempfile.mkdtemp(prefix=f".new-{os.getpid()}-", dir=self.root))
            try:
                write_json(draft / LABELS, written)
                write_json(draft / STATE, {"id": instance_id, "created_at": time.time(), "phase": CREATED})
                (draft / LOCK).touch(mode=0o600)
                move(draft, self._path(spec.name))
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        self._secrets[instance_id] = {
            name: secret.reveal() for name, secret in spec.secrets.items() if not isinstance(secret, Sealed)
        }
        return look(self._path(spec.name), self.host)

    def start(self, name: str) -> None:
        """Run the shim; returns when it spawned the server, or tells why it could not."""
        instance = self._instance(name)
        if instance.running:
            return
        if instance.spec is None:
            raise LlmstackError(
                f"{name} was created by another version of llmstack (schema {instance.schema})", "run up again with it"
            )
        launch = launch_of(instance.spec, instance.id, self._secrets.get(instance.id, {}))
        processes.sweep(instance.id)
        answer = run_shim(self._path(name), launch)
        if "error" in answer:
            raise PreflightError(
                f"{instance.target}: cannot run {launch['argv'][0]}: {answer['error']}", "look at the program's file"
            )

    def stop(self, name: str, timeout_s: float) -> None:
        """End it on purpose; nothing to do for one that ended by itself, but what it left behind is killed."""
        instance = self._instance(name)
        self._remember_secrets(instance)
        stop(self._path(name), instance, timeout_s)

    def remove(self, name: str) -> None:
        """Delete the folder. Raises LlmstackError while it runs."""
        instance = self.inspect(name)
        if instance is None:
            return
        with disk(self.root), locked(self._path(name) / LOCK) as fd:
            if fd is None:
                raise LlmstackError(f"{name} runs", "stop it first")
            os.ftruncate(fd, 0)  # an old shim's pid must not be read while we hold its lock
            grave = self.root / f".gone-{os.getpid()}-{uuid.uuid4().hex}"
            self._path(name).rename(grave)
            shutil.rmtree(grave)
        processes.sweep(instance.id)
        self._secrets.pop(instance.id, None)

    def stop_and_remove(self, there: Instance, timeout_s: float) -> None:
        """One after the other."""
        self.stop(there.container_name, timeout_s)
        self.remove(there.container_name)

    def rename(self, name: str, new_name: str) -> None:
        """Rename the folder, under a running server too."""
        self._instance(name)
        with disk(self.root):
            move(self._path(name), self._path(new_name))

    def logs(self, name: str, *, tail: int | None = None, follow: bool = False) -> Iterator[str]:
        """Lines of the log, across its rotation; `follow` goes on until the instance ends for good."""
        self._instance(name)
        folder = self._path(name)
        return log.follow(folder, tail, lambda: is_held(folder / LOCK)) if follow else log.read(folder, tail)

    def execute(self, name: str, command: Sequence[str]) -> None:
        """On this machine."""
        processes.execute(self._instance(name), command)

    def events(self) -> Iterator[Happening | None]:
        """By the folders' files."""
        return happenings.follow(self.root, self._over)

    def starved(self, name: str) -> bool | None:  # noqa: ARG002 - the protocol's name
        """Nobody tells that of a process."""
        return None

    def lock(self, stack: str, owner: str, lease_s: float) -> contextlib.AbstractContextManager[Renew]:
        """A file lock in the root: whoever dies frees it."""
        with disk(self.root):
            self._prepare_root()
        return stack_lock(self.root / f".{stack}.lock", stack, owner, lease_s)

    def littered(self, stack: str) -> bool:  # noqa: ARG002 - drafts belong to no stack yet
        """Looks for drafts."""
        return bool(leftovers.abandoned(self.root))

    def endpoint(self, instance: Instance) -> Endpoint | None:
        """The bind address; what listens everywhere is reached by loopback from here, by name from elsewhere."""
        if instance.port is None:
            return None
        bind = instance.spec.bind if instance.spec else "127.0.0.1"
        here, there = reached(bind, self.host)
        return Endpoint(url_of(here, instance.port), network=there and url_of(there, instance.port))

    def pids(self, name: str) -> tuple[int, ...]:
        """The server and all its descendants."""
        instance = self._instance(name)
        return tuple(sorted(processes.tree(instance.pid, instance.id)))

    def usages(self, names: Collection[str], *, quick: bool = False) -> dict[str, Usage]:
        """Each of the server and all its descendants."""
        found = {name: one for name in names if (one := self.inspect(name)) and one.running}
        return processes.usages({name: processes.tree(one.pid, one.id).values() for name, one in found.items()}, quick)

    def leftovers(self, stack: str | None) -> tuple[Leftover, ...]:
        """Folders and locks."""
        with disk(self.root):
            return tuple(leftovers.found(self.root, self.observe(stack), stack))

    def discard(self, leftover: Leftover) -> None:
        """Stop and remove an instance, or delete a file of ours."""
        if there := self.inspect(leftover.name):
            newer.check(there)
            self.stop(leftover.name, GRACE_S)
            self.remove(leftover.name)
            return
        with disk(self.root):
            leftovers.delete(self.root, Path(leftover.name))

    def close(self) -> None:
        """Only `events` last longer than a call."""
        self._over.set()
        self._over = threading.Event()

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise LlmstackError(f"'{name}' is no name for an instance", "use letters, digits, '-', '_' and '.'")
        return self.root / name

    def _instance(self, name: str) -> Instance:
        instance = self.inspect(name)
        if instance is None:
            raise NoMatchError(f"no instance {name} on {self.host}", "`status` shows what is there")
        return instance

    def _prepare_root(self) -> None:
        """The root, for nobody but us; forgets drafts that a killed run left."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.root.stat().st_mode & 0o022:
            raise LlmstackError(
                f"others may write to {self.root}, and could run programs as you", f"chmod 700 {self.root}"
            )
        for draft in leftovers.abandoned(self.root):
            shutil.rmtree(draft, ignore_errors=True)

    def _remember_secrets(self, instance: Instance) -> None:
        """Keep what the running server was given, so that this run can start it again (a replace that is undone)."""
        wanted = instance.spec.secrets if instance.spec else {}
        if wanted and instance.id not in self._secrets:
            env = processes.environment(instance.pid)
            self._secrets[instance.id] = {
                name: env[name]
                for name, sealed in wanted.items()
                if name in env and isinstance(sealed, Sealed) and sealed.matches(env[name])
            }


def _default_root() -> Path:
    if chosen := os.environ.get(ROOT_ENV):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_state_path("llmstack") / "instances"
