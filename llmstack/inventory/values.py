"""Values with a grammar of their own: sizes, resources, addresses, mounts, restart policies."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from llmstack.domain.resources import Resources
from llmstack.inventory.nodes import Listing, Node, Scalar
from llmstack.inventory.problems import Problems
from llmstack.inventory.shape import check_keys, table_of

MIN_MEMORY_BYTES = 6 * 1024**2
"""Docker refuses less."""

MAX_BYTES = 2**53

_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s?([KMGT]?)(i?B|)", re.IGNORECASE)
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}")
_RESTART = re.compile(r"no|always|unless-stopped|on-failure(:[1-9][0-9]{0,3})?")
_LOCAL_PATH = re.compile(r"(\.{1,2}|~)(/|$)")


def size_bytes(text: str) -> int:
    """Bytes of `8GiB` (1024), `8GB` (1000) or Docker's short `8g` (1024). Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if not match or not (match[2] or match[3]):
        raise ValueError("a size with its unit, such as 8GiB")
    base = 1000 if match[3].lower() == "b" else 1024
    return int(float(match[1]) * base ** (" KMGT".index(match[2].upper() or " ")))


def resources_of(node: Node | None, where: str, problems: Problems) -> Resources:
    """Limits and devices; every wrong one is noted and left out."""
    table = table_of(node, where, problems)
    check_keys(table, _RESOURCES, where, problems)
    found: dict[str, Any] = {}
    for key, (name, read) in _RESOURCES.items():
        if (inner := table.get(key)) is None:
            continue
        try:
            found[name] = read(inner)
        except ValueError as error:
            problems.add(inner.at, "E013", f"{where}.{key} should be {error}")
    return Resources(**found)


def _scalar(node: Node) -> str:
    if not isinstance(node, Scalar):
        raise ValueError("one value, not a list or mapping")  # noqa: TRY004 - a mistake in a file, told as such
    return node.text


def _shm(node: Node) -> int:
    size = size_bytes(_scalar(node))
    if not 0 < size <= MAX_BYTES:
        raise ValueError("a size with its unit, such as 8GiB")
    return size


def _memory(node: Node) -> int:
    if (size := _shm(node)) < MIN_MEMORY_BYTES:
        raise ValueError("at least 6MiB")
    return size


def _cpus(node: Node) -> float:
    text = _scalar(node)
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,9})?", text) or not float(text):
        raise ValueError("a number of CPUs, such as 2 or 0.5")
    return float(text)


def _pids(node: Node) -> int:
    text = _scalar(node)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError("a whole number above 0")
    return int(text)


def _gpus(node: Node) -> tuple[str, ...]:
    if isinstance(node, Listing):
        return tuple(_scalar(item) for item in node.items)
    text = _scalar(node)
    if text != "all" and not re.fullmatch(r"[0-9]{1,3}", text):
        raise ValueError("all, how many, or a list of ids")
    return () if not text.strip("0") else (text,)


_RESOURCES: dict[str, tuple[str, Callable[[Node], object]]] = {
    "memory": ("memory_bytes", _memory),
    "cpus": ("cpus", _cpus),
    "shm": ("shm_bytes", _shm),
    "pids": ("pids", _pids),
    "gpus": ("gpus", _gpus),
}


def bind_mistake(bind: str) -> str | None:
    """What a `bind` should be, when it is not."""
    if bind in ("loopback", "lan") or _is_address(bind):
        return None
    return "loopback, lan, or an IP address of the host"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(bind: str) -> bool:
    """Whether only the host itself can connect."""
    return bind == "loopback" or (_is_address(bind) and ipaddress.ip_address(bind).is_loopback)


def addresses_clash(one: str, other: str) -> bool:
    """Whether two binds cannot have the same port."""
    one, other = (_address(bind) for bind in (one, other))
    return one == other or "*" in (one, other)


def _address(bind: str) -> str:
    if bind in ("lan", "0.0.0.0", "::"):
        return "*"
    return "127.0.0.1" if bind == "loopback" else bind


def restart_mistake(restart: str) -> str | None:
    """What a `restart` should be, when it is not."""
    return None if _RESTART.fullmatch(restart) else "no, always, unless-stopped or on-failure[:N]"


def url_mistake(url: str) -> str | None:
    """What a `url` should be, when it is not."""
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        return "an address such as http://127.0.0.1:11434"
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok or re.search(r"[\s\\]", url):
        return "an address such as http://127.0.0.1:11434"
    if parts.username is not None or parts.password is not None:
        return "without user and password, which would be shown; put a token into env as a secret"
    return None


def mount(text: str, folder: str, *, local: bool) -> str:
    """`source:target[:ro]` with a full source: on this machine `./` starts at `folder`. Raises ValueError."""
    source, target, mode = _mount_parts(text)
    if mode not in ("ro", "rw") or not target.startswith("/") or target == "/":
        raise ValueError("source:target or source:target:ro, with a full path as target")
    if _LOCAL_PATH.match(source):
        if not local:
            raise ValueError("a full path: this host is another machine")
        source = os.path.normpath(os.path.join(folder, os.path.expanduser(source)))
    elif not source.startswith("/") and not _VOLUME.fullmatch(source):
        raise ValueError("a path (/data, ./data, ~/data) or the name of a volume, then :target")
    return f"{source}:{target}" if mode == "rw" else f"{source}:{target}:ro"


def _mount_parts(text: str) -> Iterator[str]:
    parts = text.split(":")
    if len(parts) not in (2, 3):
        raise ValueError("source:target or source:target:ro")
    return iter((*parts, "rw")[:3])
