"""The scripted half of the fake engine: its state, and what tests tell it to do."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, replace
from queue import SimpleQueue

from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.happening import Happening, What
from llmstack.domain.instance import Instance, Need, State
from llmstack.domain.usage import Usage
from llmstack.domain.weights import ModelFile
from llmstack.errors import LlmstackError, NoMatchError, PreflightError
from llmstack.protocols import Ability, Clock
from llmstack.testing.clock import FakeClock

WRITES = {"fetch", "execute", "create", "start", "stop", "remove", "rename", "lock"}
WRITES |= {"copy_volumes", "write_volumes", "discard"}
"""The calls that change something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What happens when an instance starts: `log` is written; with an `exit_code` it then ends by itself."""

    log: tuple[str, ...] = ()
    exit_code: int | None = None
    out_of_memory: bool = False


@dataclass(slots=True)
class _Refusal:
    error: LlmstackError
    times: int | None


@dataclass(eq=False)
class ScriptedEngine:
    """State and script of a `FakeEngine`."""

    host: str = "localhost"
    _: KW_ONLY
    kind: str = "docker"
    abilities: frozenset[Ability] = frozenset(Ability)
    clock: Clock = field(default_factory=FakeClock)
    calls: list[tuple[str, str]] = field(default_factory=list)
    instances: dict[str, Instance] = field(default_factory=dict)
    occupied: dict[int, str] = field(default_factory=dict)
    measured: dict[str, Usage] = field(default_factory=dict)
    data: dict[str, dict[str, bytes]] = field(default_factory=dict)
    owners: dict[str, tuple[str, str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    registry: dict[str, str] = field(default_factory=dict)
    told: EngineFacts | None = None
    files: dict[ModelFile, bytes] = field(default_factory=dict)
    litter: bool = False
    closed: bool = False
    _strangers: list[Instance] = field(default_factory=list)
    _listeners: list[SimpleQueue[Happening | bool | None]] = field(default_factory=list)
    _refusals: dict[str, _Refusal] = field(default_factory=dict)
    _needs: dict[str, tuple[Need, ...]] = field(default_factory=dict)
    _scripts: dict[str, Script] = field(default_factory=dict)
    _logs: dict[str, list[str]] = field(default_factory=dict)
    _locks: dict[str, tuple[object, str, float]] = field(default_factory=dict)
    _created: int = 0

    @property
    def writes(self) -> list[tuple[str, str]]:
        """The calls that change something."""
        return [call for call in self.calls if call[0] in WRITES]

    def refuse(self, verb: str, error: LlmstackError, *, times: int | None = 1) -> None:
        """Let the next `times` calls of `verb` (`*`: of any verb) raise `error`; None means until `allow`."""
        self._refusals[verb] = _Refusal(error, times)

    def allow(self, verb: str) -> None:
        """End what `refuse` began."""
        self._refusals.pop(verb, None)

    def lack(self, service: str, *needs: Need) -> None:
        """Let `missing` report `needs` for `service` until each is fetched."""
        self._needs[service] = needs

    def occupy(self, port: int, holder: str) -> None:
        """Let `port` be taken by someone else."""
        self.occupied[port] = holder

    def script(self, service: str, *log: str, exit_code: int | None = None, out_of_memory: bool = False) -> None:
        """Decide what each following start of `service` comes to."""
        self._scripts[service] = Script(log=log, exit_code=exit_code, out_of_memory=out_of_memory)

    def add(self, instance: Instance) -> None:
        """Put an instance there, whatever it is."""
        self.instances[instance.container_name] = instance

    def add_stranger(self, instance: Instance) -> None:
        """Put something there that is not ours."""
        self._strangers.append(instance)

    def crash(self, name: str, exit_code: int = 1, *, out_of_memory: bool = False) -> None:
        """Let a running instance end by itself; its restart policy then does what it says."""
        was = self._there(name)
        restarts = was.restarts or 0
        if _restarts_again(was.restart_policy, restarts, exit_code):
            self._put(was, restarts=restarts + 1, started_at=self.clock.now())
            self.tell(name, What.DIED)
            self.tell(name, What.STARTED)
            return
        self._end(was, state=State.CRASHED, exit_code=exit_code, out_of_memory=out_of_memory)

    def say(self, name: str, *lines: str) -> None:
        """Append to an instance's log."""
        self._logs.setdefault(name, []).extend(lines)

    def tell(self, name: str | None, what: What = What.OTHER) -> None:
        """Let `events` tell of an instance; None says that more may have happened."""
        there = self.instances.get(name or "")
        happening = Happening(name, what, there.stack if there else None) if name else None
        for heard in self._listeners:
            heard.put(happening)

    def _call(self, verb: str, name: str = "") -> None:
        self.calls.append((verb, name))
        refusal = self._refusals.get(verb) or self._refusals.get("*")
        if refusal is None:
            return
        if refusal.times is not None:
            refusal.times -= 1
            if refusal.times <= 0:
                self._refusals = {key: one for key, one in self._refusals.items() if one is not refusal}
        raise refusal.error

    def _there(self, name: str) -> Instance:
        if name not in self.instances:
            raise NoMatchError(f"no instance {name} on {self.host}")
        return self.instances[name]

    def _check_free(self, name: str) -> None:
        if name in self.instances:
            raise LlmstackError(f"the name {name} is taken on {self.host}", conflict=True)

    def _check_port(self, port: int | None, name: str) -> None:
        holders = {one.port: one.container_name for one in self.instances.values() if one.running}
        holder = self.occupied.get(port or 0) or holders.get(port)
        if port is not None and holder not in (None, name):
            raise PreflightError(
                f"port {port} on {self.host} is held by {holder}", "stop it, or take another", port=port, holder=holder
            )

    def _crash_loop(self, was: Instance, script: Script) -> None:
        code, restarts = script.exit_code or 0, was.restarts or 0
        if _restarts_again(was.restart_policy, restarts, code):
            restarts += int((was.restart_policy or "").partition(":")[2] or 1)
        self._end(was, state=State.CRASHED, exit_code=code, out_of_memory=script.out_of_memory, restarts=restarts)

    def _end(self, was: Instance, **facts: object) -> None:
        self._put(was, running=False, pid=None, finished_at=self.clock.now(), **facts)
        self.tell(was.container_name, What.DIED)

    def _put(self, was: Instance, **changes: object) -> None:
        now = replace(was, **changes)  # type: ignore[arg-type]
        self.instances[now.container_name] = now


def _restarts_again(policy: str | None, restarts: int, exit_code: int) -> bool:
    word, _, limit = (policy or "no").partition(":")
    if word in ("always", "unless-stopped"):
        return True
    return word == "on-failure" and exit_code != 0 and (not limit or restarts < int(limit))
