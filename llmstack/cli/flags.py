"""The one table of flags: names, help, and how a value is read. Invoke hands text over; it is read here, so that a bad
value is a usage error through both doors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from invoke.parser.argument import Argument

OUTPUT_VARIABLE = "LLMSTACK_OUTPUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """`--name` (`-short`); `read` turns text into the value of the field of Options, and raises ValueError saying what
    would be right. `env` names the variable that gives a default."""

    name: str
    field: str
    help: str
    short: str | None = None
    kind: type = str
    default: object = None
    read: Callable[[str], object] = str
    env: str | None = None

    @property
    def key(self) -> str:
        """The keyword under which Invoke hands the value over."""
        return self.name.replace("-", "_")

    @property
    def takes_value(self) -> bool:
        """Whether a word follows it."""
        return self.kind is not bool

    def argument(self) -> Argument:
        """As Invoke's parser wants it; never positional, no short flag but the one given."""
        names = (self.name, self.short) if self.short else (self.name,)
        dashed = self.key if "-" in self.name else None
        default = None if self.takes_value else self.default
        told = f"{self.help} Default: ${self.env}." if self.env else self.help
        return Argument(names=names, kind=self.kind, default=default, help=told, attr_name=dashed)


def one_of(*words: str) -> Callable[[str], str]:
    """Reads one of `words`."""

    def read(text: str) -> str:
        if text in words:
            return text
        near = get_close_matches(text, words, n=1)
        raise ValueError(f"did you mean '{near[0]}'?" if near else f"it is one of: {' '.join(words)}")

    return read


def name(text: str) -> str:
    """Reads a name: anything but nothing and blanks."""
    if not text.strip() or text != text.strip() or "\n" in text:
        raise ValueError("it is a name, without blanks around it")
    return text


def seconds(text: str) -> float:
    """Reads a duration: `90`, `90s`, `1.5m`, `2h`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text.strip())
    value = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2] or "s"] if match else math.inf
    if not math.isfinite(value):
        raise ValueError("it is a number of seconds, or a duration such as 90s, 5m, 1h")
    return value


def positive_seconds(text: str) -> float:
    """As `seconds`, but more than nothing."""
    value = seconds(text)
    if not value:
        raise ValueError("it is more than 0 seconds")
    return value


def count(least: int) -> Callable[[str], int]:
    """Reads a whole number of at least `least`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text.strip()) or int(text) < least:
            raise ValueError(f"it is a whole number, {least} or more")
        return int(text)

    return read


MODEL = Flag(name="model", short="m", field="models", kind=list, read=name, help="Model NAME; may be given again.")
SERVICE = Flag(
    name="service", short="s", field="services", kind=list, read=name, help="Service NAME; may be given again."
)
HOST = Flag(name="host", short="l", field="hosts", kind=list, read=name, help="Host or group NAME; may be given again.")
INVENTORY = Flag(
    name="inventory",
    short="i",
    field="inventory",
    read=name,
    env="LLMSTACK_INVENTORY",
    help="Inventory FILE instead of inventory.yaml.",
)
STORE = Flag(
    name="store", field="store", read=name, env="LLMSTACK_STORE", help="Store FILE; `:memory:` remembers nothing."
)
QUIET = Flag(name="quiet", short="q", field="quiet", kind=bool, default=False, help="Say nothing but errors.")
COLOR = Flag(
    name="color",
    field="color",
    default="auto",
    read=one_of("auto", "always", "never"),
    env="LLMSTACK_COLOR",
    help="Colour: auto, always or never.",
)
CHECK = Flag(name="check", field="check", kind=bool, default=False, help="Show what would be done, and change nothing.")
DIFF = Flag(name="diff", field="diff", kind=bool, default=False, help="Show each field that differs.")
TIMEOUT = Flag(
    name="timeout",
    field="timeout_s",
    read=positive_seconds,
    env="LLMSTACK_TIMEOUT",
    help="Time for the whole run: seconds, or 90s, 5m, 1h.",
)
LOCK_WAIT = Flag(
    name="lock-wait",
    field="lock_wait_s",
    default="0",
    read=seconds,
    env="LLMSTACK_LOCK_WAIT",
    help="Time to wait for another run to end: seconds, or 90s, 5m, 1h.",
)
WAIT = Flag(name="wait", field="wait", kind=bool, default=True, help="Wait until each model has really answered.")
DEEP = Flag(name="deep", field="deep", kind=bool, default=False, help="Load and ask models that are not loaded, too.")
ORPHANS = Flag(
    name="orphans", field="orphans", kind=bool, default=False, help="Also what is no longer in the inventory."
)
TAIL = Flag(name="tail", field="tail", read=count(0), help="Only the last NUMBER of lines.")
FOLLOW = Flag(name="follow", field="follow", kind=bool, default=False, help="Go on with new lines until Ctrl-C.")
PROMPT = Flag(name="prompt", field="prompt", help="What to ask; read from standard input if left out.")
MAX_TOKENS = Flag(name="max-tokens", field="max_tokens", read=count(1), help="End the answer after NUMBER tokens.")


def output(*formats: str) -> Flag:
    """`--output`, with the formats that a task knows."""
    return Flag(
        name="output",
        short="o",
        field="output",
        default="text",
        read=one_of("text", *formats),
        env=OUTPUT_VARIABLE,
        help=f"Format of the answer: {', '.join(('text', *formats))}.",
    )


SELECT = (MODEL, SERVICE, HOST)
COMMON = (INVENTORY, STORE, COLOR, QUIET)
