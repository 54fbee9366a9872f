"""What things may be called, and which known word a mistyped one is nearest to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from itertools import islice

NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""Names of stacks, services and models; they become container and network names (use `fullmatch`)."""

_TASKS = (
    "ask backup boot doctor down du gpus health help history init inventory logs menu plugins pull restart "
    "restore rm rollback schema stats status store sync uninstall up update wait weights why"
)
RESERVED_NAMES = frozenset(_TASKS.split())
"""Words of the command line: `llmstack up NAME` must never be ambiguous."""

LOCK = "lock"
"""What the lock of a stack is called, as a service would be."""

INVENTORY_FILES = ("inventory.yaml", "inventory.yml", "inventory.json")
"""What an inventory is called that nobody has to name."""

LONGEST_WORD, MOST_CHOICES, CLOSE = 100, 500, 0.65


def nearest(word: str, choices: Iterable[str], close: float = CLOSE) -> str | None:
    """The choice that `word` was most likely meant to be, None when nothing is `close` (a ratio of 0 to 1); case does
    not count, and of thousands only the first are looked at."""
    import difflib

    by_lower = {choice.lower(): choice for choice in islice(choices, MOST_CHOICES)}
    found = difflib.get_close_matches(word[:LONGEST_WORD].lower(), by_lower, n=1, cutoff=close)
    return by_lower[found[0]] if found else None


def as_name(text: str) -> str | None:
    """What `text` would be as a name, None when there is nothing of it left, or too much."""
    name = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
    return name if NAME_PATTERN.fullmatch(name) else None


def is_loopback(host: str) -> bool:
    """Whether an address, or its name, is this machine itself."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
