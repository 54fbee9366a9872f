"""What the core asks of engines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llmstack.domain.endpoint import Endpoint
    from llmstack.domain.engine_facts import EngineFacts
    from llmstack.domain.happening import Happening
    from llmstack.domain.instance import Instance, InstanceSpec, Need
    from llmstack.domain.leftover import Leftover
    from llmstack.domain.progress import Progress
    from llmstack.domain.usage import Usage
    from llmstack.domain.weights import Shelf

Report = Callable[["Progress"], None]

Renew = Callable[[], None]
"""Makes a lease last as long again. Raises LockedError when it was taken over meanwhile."""


class Ability(StrEnum):
    """What an engine may or may not be able to do; the contract suite asks before it tests."""

    MEMORY_LIMIT = "memory_limit"
    NETWORK = "network"
    IMAGES = "images"
    VOLUMES = "volumes"


class Engine(Protocol):
    """Runs instances on one host.

    Every call has a finite time-out. Errors: UnreachableError when the engine cannot be reached or refuses us,
    NoMatchError for an instance that is not there, PreflightError for a start that cannot succeed (port taken, program
    missing), FetchError, LockedError, LlmstackError for everything else the engine refuses.
    """

    kind: str
    host: str
    abilities: frozenset[Ability]

    def describe(self) -> str:
        """Kind and version, as in `docker 28.5.2`."""

    def facts(self) -> EngineFacts:
        """What it says of itself and its machine; one or two calls that change nothing."""

    def observe(self, stack: str | None) -> tuple[Instance, ...]:
        """All instances of ours in `stack` (None: in every stack), by one list call. Fields that only an inspect tells
        (exit code, restarts, times) may be None for rows that run."""

    def inspect(self, name: str) -> Instance | None:
        """All facts of one instance by its container name; None when it is not there."""

    def strangers(self) -> tuple[Instance, ...]:
        """What seems to serve models here and is not ours: known images, names and ports."""

    def missing(self, spec: InstanceSpec) -> tuple[Need, ...]:
        """What must be fetched before `spec` can be created; changes nothing.

        Raises PreflightError for what cannot be fetched: a program that is not installed, a file that is not there.
        """

    def pins(self, image: str) -> tuple[str, ...]:
        """Names that mean what `image` (a name or id) is now, and always will; none where it is not there."""

    def newest(self, image: str) -> str | None:
        """Such a name for what its registry has under that name now; None where that cannot be told."""

    def tag(self, pin: str, image: str) -> None:
        """Have `image` mean here what `pin` means."""

    def fetch(self, need: Need, spec: InstanceSpec, report: Report) -> None:
        """Bring one need, telling where it stands by the source's own figures; ends when `report` raises. Raises
        FetchError, with `again=True` where another try may go better."""

    def decide_port(self, spec: InstanceSpec) -> int:
        """A free port for `port: auto`, near the type's own."""

    def check_port(self, spec: InstanceSpec) -> None:
        """Raises PreflightError naming the holder, where it can be known, when the wanted port is taken by someone
        else."""

    def check_place(self, spec: InstanceSpec) -> None:
        """Raises PreflightError naming who has the name, or now the port, that `spec` wants, as far as that is told by
        one look for all specs since the last `observe`."""

    def create(self, spec: InstanceSpec) -> Instance:
        """Create, not start. The spec must be decided (no open `auto`) and stands on the instance from then on.

        Raises LlmstackError with `conflict=True` in its data when the name is taken.
        """

    def start(self, name: str) -> None:
        """Start; no error when it runs already. A start that fails leaves it created."""

    def stop(self, name: str, timeout_s: float) -> None:
        """SIGTERM, after `timeout_s` SIGKILL; returns when it is verified to be gone and its port is free.

        Raises LlmstackError naming what stays."""

    def remove(self, name: str) -> None:
        """Remove a stopped instance and its log; no error when it is not there."""

    def stop_and_remove(self, there: Instance, timeout_s: float) -> None:
        """Both, verified as by `stop`; raises what either raises."""

    def rename(self, name: str, new_name: str) -> None:
        """Give an instance another name on the engine."""

    def execute(self, name: str, command: Sequence[str]) -> None:
        """Run a short command where a running instance runs, with its environment. Raises LlmstackError if it fails,
        with how it `ended` and what it `said` in its data where it could be run."""

    def logs(self, name: str, *, tail: int | None = None, follow: bool = False) -> Iterator[str]:
        """Lines (without newline) of stdout and stderr together, oldest first."""

    def events(self) -> Iterator[Happening | None]:
        """What happens to instances, ours or not, as it happens; first None, when it listens, and None again whenever
        more may have happened than is told: then only a look tells. Raises nothing, goes on by itself after the engine
        was away, and ends with `close`."""

    def starved(self, name: str) -> bool | None:
        """Whether a process in it was killed for lack of memory, as far as the engine still knows; its flag on the
        instance forgets that at a restart. None where it does not tell."""

    def lock(self, stack: str, owner: str, lease_s: float) -> AbstractContextManager[Renew]:
        """Hold (host, stack) against other controllers for `lease_s`, and longer when it is renewed. Raises LockedError
        naming the holder."""

    def littered(self, stack: str) -> bool:
        """Whether the last `observe` of `stack` saw what a run that died has left beside instances; no call. It is gone
        once `lock` is held."""

    def endpoint(self, instance: Instance) -> Endpoint | None:
        """Where its API is reached from; None when it publishes none."""

    def pids(self, name: str) -> tuple[int, ...] | None:
        """Host pids of all its processes; None where they cannot be known (a VM in between)."""

    def usages(self, names: Collection[str], *, quick: bool = False) -> dict[str, Usage]:
        """What instances use (without GPUs), by container name, each over a moment up to now; what does not run is left
        out. With `quick` over a shorter moment; an engine that takes its time then tells nothing."""

    def volumes(self, stack: str) -> Mapping[str, str]:
        """All volumes that were made for a stack, by name, each with the service that it was made for."""

    def sharers(self, spec: InstanceSpec) -> Mapping[str, str]:
        """Which of the volumes of `spec` somebody else mounts too, and the name of one who does."""

    def copy_volumes(self, name: str, spec: InstanceSpec, report: Report) -> None:
        """Fill the volumes of the created instance of `spec` from those that the stopped instance `name` mounts, where
        they are not the same ones. Raises FetchError."""

    def read_volumes(self, name: str) -> Iterator[bytes]:
        """One tar of all volumes of a stopped instance; its members lie where the volumes are mounted."""

    def write_volumes(self, name: str, chunks: Iterable[bytes]) -> None:
        """Put such a tar into the volumes of a created instance. Raises FetchError for one that is cut or foreign."""

    def shelf(self, stack: str) -> Shelf | None:
        """The model files of the host, as `stack` sees them; None where they are read from this machine's folder."""

    def leftovers(self, stack: str | None) -> tuple[Leftover, ...]:
        """Everything of ours that is there for `stack` (None: for all stacks, and what they share), in the order in
        which it can be discarded."""

    def discard(self, leftover: Leftover) -> None:
        """Remove it for good, stopped first where it runs; no error when it is gone. Raises LlmstackError where
        something of somebody else uses it, PluginError where a newer llmstack made it."""

    def close(self) -> None:
        """Let go of connections, and end every `events`."""
