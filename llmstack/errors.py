"""Every error a user can meet.

    LlmstackError                1  failed
    ├── OutputError                 the answer cannot be written
    ├── UsageError               2  usage
    ├── ConfigError              3  config
    │   ├── NoInventoryError        none was found
    │   ├── InventoryError          all mistakes of an inventory at once
    │   └── SecretError             a secret reference that cannot be read
    ├── UnreachableError         4  unreachable
    ├── NoMatchError             5  nomatch
    ├── UnhealthyError           6  unhealthy
    │   └── ServerError             a model server refused, cut or failed a request
    ├── LockedError              7  locked
    ├── PreflightError           9  preflight
    ├── FetchError              10  fetch
    ├── StoreError              11  store
    ├── DeclinedError           12  declined
    ├── PluginError             13  plugin
    ├── BugError                70  bug
    ├── DeadlineError          124  timeout
    └── InterruptedRunError    130  signal
        └── AbandonedRunError       the user did not wait for its end

An error carries what happened (`message`), the next step (`hint`) and facts for machines (`data`).
The number is the exit code of a run whose failures are all of that class; `name` is the word for it in JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from llmstack.domain.position import Problem
    from llmstack.domain.service import Inventory

OK, FAILED, CHANGES, SIGPIPE, SIGINT, SIGTERM = 0, 1, 8, 141, 130, 143


class LlmstackError(Exception):
    """Base of all errors; `hint` is the next step for the user."""

    exit_code: ClassVar[int] = FAILED
    name: ClassVar[str] = "failed"

    def __init__(self, message: str, hint: str | None = None, **data: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data

    def as_json(self) -> dict[str, object]:
        """`{class, code, message, hint, ...data}` as it stands in every JSON answer."""
        return {"class": self.name, "code": self.exit_code, "message": self.message, "hint": self.hint, **self.data}


class OutputError(LlmstackError):
    """The answer cannot be written to standard output."""


class UsageError(LlmstackError):
    """A task, flag or value that cannot be; nothing ran."""

    exit_code, name = 2, "usage"


class ConfigError(LlmstackError):
    """Inventory, settings or environment are invalid; nothing ran."""

    exit_code, name = 3, "config"


class NoInventoryError(ConfigError):
    """No inventory was named, and none was found."""


class InventoryError(ConfigError):
    """All mistakes found in an inventory; `inventory` is what could be read of it all the same, if anything."""

    def __init__(
        self, problems: Iterable[Problem], hint: str | None = None, *, inventory: Inventory | None = None
    ) -> None:
        self.problems = tuple(problems)
        self.inventory = inventory
        count = len(self.problems)
        super().__init__(f"{count} error{'' if count == 1 else 's'}; nothing was changed", hint)

    def as_json(self) -> dict[str, object]:
        """As any error, and all problems."""
        return {**super().as_json(), "problems": [problem.as_json() for problem in self.problems]}


class SecretError(ConfigError):
    """A secret reference that cannot be read."""


class UnreachableError(LlmstackError):
    """An engine or host cannot be reached."""

    exit_code, name = 4, "unreachable"


class NoMatchError(LlmstackError):
    """A name or pattern on the command line selects nothing."""

    exit_code, name = 5, "nomatch"


class UnhealthyError(LlmstackError):
    """Started but not ready, crashed, or not answering."""

    exit_code, name = 6, "unhealthy"


class ServerError(UnhealthyError):
    """A model server refused, cut, or failed one request.

    `kind` is one of refused, reset, timeout, cut, loading, busy, not_found, denied, unsupported, too_long, memory,
    killed, broken, load_timeout, server, protocol; `status` is the HTTP status or None.
    """

    def __init__(
        self, message: str, hint: str | None = None, *, kind: str, status: int | None = None, **data: object
    ) -> None:
        super().__init__(message, hint, kind=kind, status=status, **data)
        self.kind = kind
        self.status = status


class LockedError(LlmstackError):
    """Another run works on this stack."""

    exit_code, name = 7, "locked"


class PreflightError(LlmstackError):
    """A start that cannot succeed: port taken, program missing, too little room; its target was left as it was."""

    exit_code, name = 9, "preflight"


class FetchError(LlmstackError):
    """An image, weights or data of a service could not be fetched, copied or saved."""

    exit_code, name = 10, "fetch"


class StoreError(LlmstackError):
    """The store cannot be used: busy, corrupt, full, or written by a newer version."""

    exit_code, name = 11, "store"


class DeclinedError(LlmstackError):
    """Something would be lost for good, and nobody said yes."""

    exit_code, name = 12, "declined"


class PluginError(LlmstackError):
    """A plugin is incompatible, or raised."""

    exit_code, name = 13, "plugin"


class BugError(LlmstackError):
    """A mistake in llmstack itself."""

    exit_code, name = 70, "bug"


class DeadlineError(LlmstackError):
    """The time-out of the whole run was reached."""

    exit_code, name = 124, "timeout"


class InterruptedRunError(LlmstackError):
    """The user stopped the run."""

    exit_code, name = 130, "signal"


class AbandonedRunError(InterruptedRunError):
    """The user did not wait for it to end, so it is still at work in other threads. `left` names on what."""


@contextmanager
def refused(error: type[LlmstackError], what: str, hint: str) -> Iterator[None]:
    """What the system refuses in the block becomes an `error`, which says `what` could not be done, and why."""
    try:
        yield
    except OSError as trouble:
        raise error(f"{what}: {trouble.strerror or trouble}", hint) from trouble


def exit_code_of(codes: Iterable[int]) -> int:
    """One code for many failures: theirs if they share it, else 1; 0 without any."""
    distinct = {code for code in codes if code}
    if not distinct:
        return OK
    return distinct.pop() if len(distinct) == 1 else FAILED


def exit_codes() -> Mapping[int, str]:
    """Exit code -> class name, as documented."""
    return {code: name for code, (name, _) in meanings().items()}


def meanings() -> Mapping[int, tuple[str, str]]:
    """Exit code -> class name and when it is the code of a run."""
    first = {cls.exit_code: cls for cls in reversed(tuple(_tree(LlmstackError)))}
    told = {code: (cls.name, cls.__doc__ or "") for code, cls in first.items()}
    return dict(sorted({**told, **_OTHERWISE}.items()))


_OTHERWISE = {
    OK: ("ok", "Every target is as it is wanted, changed or not."),
    FAILED: ("failed", "A failure without a code of its own, failures of different classes, or an answer got lost."),
    CHANGES: ("changes", "With --exit-code: `--check` would change something, or `status` sees drift."),
    SIGPIPE: ("signal", "The reader of stdout went away."),
    SIGTERM: ("signal", "SIGTERM."),
}


def _tree(cls: type[LlmstackError]) -> Iterable[type[LlmstackError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)
