"""The one table of flags: names, help, and how a value is read. Invoke hands text over; it is read here, so that a bad
value is a usage error through both doors."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from llmstack.domain.instance import State
from llmstack.errors import ConfigError, UsageError

T = TypeVar("T")


class Flag(NamedTuple, Generic[T]):
    """`--name` (`-short`, or `--also`), whose value is a T. `kind` is bool for a switch, list for a flag that may be
    given again (`commas` also divide its values), int for one that is counted; `read` turns text into a value, and
    raises ValueError saying what would be right; `env` names the variable that gives a default; `choices` are the
    values, where there are few."""

    name: str
    help: str
    default: T
    read: Callable[[str], Any] = str
    short: str | None = None
    env: str | None = None
    kind: type = str
    also: tuple[str, ...] = ()
    commas: bool = False
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The keyword under which Invoke hands the value over."""
        return self.name.replace("-", "_")

    @property
    def spellings(self) -> tuple[str, ...]:
        """The words for it; what is on by default has one to switch it off, too."""
        off = (f"no-{self.name}",) if self.default is True else ()
        short = (f"-{self.short}",) if self.short else ()
        return (*(f"--{name}" for name in (*off, self.name)), *short, *(f"--{name}" for name in self.also))

    @property
    def told(self) -> str:
        """What it is for, and which variable gives a default."""
        return f"{self.help} Default: ${self.env}." if self.env else self.help

    @property
    def takes_value(self) -> bool:
        """Whether the next word is its value."""
        return self.kind not in (bool, int)

    def value(self, given: Any) -> Any:
        """The T that Invoke's value (None where the flag was not given) or the environment means.

        Raises UsageError for what cannot be, ConfigError where it is the environment's fault.
        """
        if not self.takes_value:
            return self.default if given is None else given
        if self.kind is list:
            items = [part for item in given or () for part in (item.split(",") if self.commas else [item])]
            return tuple(self._read(item, f"--{self.name}", UsageError) for item in items)
        if given is not None:
            return self._read(given, f"--{self.name}", UsageError)
        from_environ = os.environ.get(self.env) if self.env else None
        return self._read(from_environ, str(self.env), ConfigError) if from_environ else self.default

    def _read(self, text: str, source: str, error: type[UsageError | ConfigError]) -> Any:
        try:
            return self.read(text)
        except ValueError as trouble:
            raise error(f"{source} cannot be '{text}'", str(trouble)) from trouble


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of `words`."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(near(text, words) or f"it is one of: {' '.join(words)}")
        return text

    return read


def choice(flag: str, help_: str, *words: str, default: T, **more: Any) -> Flag[T]:
    """A flag whose value is one of `words`."""
    return Flag(flag, help_, default, one_of(*words), choices=words, **more)


def near(word: str, words: Iterable[str]) -> str | None:
    """`did you mean 'up'?`, when something is near."""
    from llmstack.domain.names import nearest

    found = nearest(word, words)
    return f"did you mean '{found}'?" if found else None


def name(text: str) -> str:
    """Reads a name: anything but nothing and blanks."""
    if not text.strip() or text != text.strip() or "\n" in text:
        raise ValueError("it is a name, without blanks around it")
    return text


_UNITS_S = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """Reads a duration: `90`, `90s`, `1.5m`, `1h30m`, `500ms`."""
    good = re.fullmatch(r"\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?(?:ms|[smh]))+", text)
    value = sum(
        float(number) * _UNITS_S[unit] for number, unit in re.findall(r"([\d.]+)([a-z]*)", text if good else "")
    )
    if not good or not math.isfinite(value):
        raise ValueError("it is a number of seconds, or a duration such as 500ms, 90s, 5m, 1h30m")
    return value


def positive_seconds(text: str) -> float:
    """As `seconds`, but more than nothing."""
    value = seconds(text)
    if not value:
        raise ValueError("it is more than 0 seconds; without it there is no limit")
    return value


def count(least: int) -> Callable[[str], int]:
    """Reads a whole number of at least `least`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text.strip()) or int(text) < least:
            raise ValueError(f"it is a whole number, {least} or more")
        return int(text)

    return read


def extra(text: str) -> str:
    """Reads `key=value` or `@file`."""
    if not re.fullmatch(r"[^=\s]+=.*|@.+", text, re.DOTALL):
        raise ValueError("it is KEY=VALUE, or @FILE")
    return text


def names(
    flag: str, help_: str, short: str | None = None, *, also: tuple[str, ...] = (), commas: bool = False
) -> Flag[tuple[str, ...]]:
    """A flag that picks names."""
    return Flag(flag, f"{help_}; may be given again.", (), name, short, kind=list, also=also, commas=commas)


def switch(flag: str, help_: str, *, default: bool = False, short: str | None = None) -> Flag[bool]:
    """A flag without a value."""
    return Flag(flag, help_, default, short=short, kind=bool)


def output(*formats: str) -> Flag[str]:
    """`--output`, with the formats that a task knows besides text."""
    told = f"FORMAT of the answer: {', '.join(('text', *formats))}."
    return choice("output", told, "text", *formats, default="text", short="o", env="LLMSTACK_OUTPUT")


MODEL = names("model", "Model NAME, or NAME@HOST", "m")
SERVICE = names("service", "Service NAME", "s")
HOST = names("host", "Host, group or PATTERN such as gpu:!gpu02", "l", also=("limit",))
EXCLUDE = names("exclude", "NAME of a model, service, host or group to leave out", commas=True)
TAGS = names("tags", "Only what has this TAG", commas=True)
ALLOW_EMPTY = switch("allow-empty", "Names, patterns and tags that select nothing are no failure.")
INVENTORY = Flag[str | None](
    "inventory", "Inventory FILE instead of inventory.yaml.", None, name, "i", env="LLMSTACK_INVENTORY"
)
STORE = Flag[str | None]("store", "Store FILE; `:memory:` remembers nothing.", None, name, env="LLMSTACK_STORE")
COLOR = choice(
    "color", "Colour: auto, always or never.", "auto", "always", "never", default="auto", env="LLMSTACK_COLOR"
)
QUIET = switch("quiet", "Say nothing but errors.", short="q")
FORKS = Flag[int]("forks", "Work on NUMBER targets at once; 8 if left out.", 8, count(1), "j", env="LLMSTACK_FORKS")
EXTRA = Flag[tuple[str, ...]](
    "extra", "KEY=VALUE that wins over the inventory, or @FILE; may be given again.", (), extra, "e", kind=list
)
KEEP_GOING = switch("keep-going", "Let a chain go on after this task has failed.", short="k")
YES = switch("yes", "Do not ask before something is lost for good.", short="y")
PROGRESS = choice(
    "progress",
    "Progress: auto, tty, plain or none.",
    *("auto", "tty", "plain", "none"),
    default="auto",
    env="LLMSTACK_PROGRESS",
)
VERBOSE = Flag[int](
    "verbose", "Say why (-v), each call of engines and servers (-vv), everything (-vvv).", 0, short="v", kind=int
)
OUTPUT = output("json", "ndjson", "names", "names0")
OUTPUT_JSON = output("json", "ndjson")
OUTPUT_RUN = output("json", "ndjson", "names", "names0", "junit")
STATES: Flag[tuple[str, ...]] = choice(
    "status", "Only what is in this STATE; may be given again.", *State, default=(), kind=list, commas=True
)
CHECK = switch("check", "Show what would be done, and change nothing.")
DIFF = switch("diff", "Show each field that differs.")
EXIT_CODE = switch("exit-code", "End with 8 if --check would change something.")
DRIFT = switch("exit-code", "End with 8 if something is not as it is wanted.")
RE_DECIDE = switch("re-decide", "Decide anew what was once decided for `auto`.")
WAIT = switch("wait", "Wait until each model has really answered.", default=True)
DEEP = switch("deep", "Load and ask models that are not loaded, too.")
ORPHANS = switch("orphans", "Also what is no longer in the inventory.")
FOLLOW = switch("follow", "Go on with new lines until Ctrl-C.")
WATCH = switch("watch", "Go on until Ctrl-C.")
DURATION = "seconds, or 90s, 5m, 1h."
TIMEOUT = Flag[float | None](
    "timeout", f"TIME for the whole run: {DURATION}", None, positive_seconds, env="LLMSTACK_TIMEOUT"
)
PATIENCE = Flag[float](
    "timeout", f"TIME to wait at most, 10m if left out: {DURATION}", 600.0, positive_seconds, env="LLMSTACK_TIMEOUT"
)
LOCK_WAIT = Flag[float](
    "lock-wait", f"TIME to wait for another run to end: {DURATION}", 0.0, seconds, env="LLMSTACK_LOCK_WAIT"
)
TAIL = Flag[int | None]("tail", "Only the last NUMBER of lines.", None, count(0))
ALL = switch("all", "Of every stack, and what they share: weights, store, state.")
FILE = Flag[str | None]("file", "FILE of the backup.", None, name)
RUN = Flag[str | None]("run", "One run by its NUMBER, in full.", None, name)
LAST = Flag[int | None]("last", "Only the last NUMBER of runs (20 if left out) or of samples (60).", None, count(1))
METRICS = switch("metrics", "What was used, minute by minute, as stats --watch measured it.")
MAX_TOKENS = Flag[int | None]("max-tokens", "End the answer after NUMBER tokens.", None, count(1))
PROMPT = Flag[str | None]("prompt", "What to ask; read from standard input if left out.", None)

SELECT = (MODEL, SERVICE, HOST, EXCLUDE, TAGS, ALLOW_EMPTY)
CHANGE = (*SELECT, OUTPUT_RUN, CHECK, DIFF, EXIT_CODE, YES, TIMEOUT, LOCK_WAIT)
COMMON = (INVENTORY, EXTRA, STORE, FORKS, KEEP_GOING, COLOR, PROGRESS, QUIET, VERBOSE)
LEADING = (*SELECT, OUTPUT, TIMEOUT, YES, *COMMON)
"""What may stand before the first task, for every task of the line."""
