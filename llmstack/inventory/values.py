"""From nodes to values: each key is read by its type, or by a reader of its own where it has a grammar."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from llmstack.domain.check import Check
from llmstack.domain.names import NAME_PATTERN, as_name, nearest
from llmstack.domain.resources import AUTO, Resources
from llmstack.domain.secret import Secret
from llmstack.domain.service import ModelSpec, ServiceSpec, Update
from llmstack.inventory.nodes import COMMAND_LINE, Node, Spot, plain
from llmstack.inventory.secrets import is_hidden, secret_of
from llmstack.inventory.sizes import memory_bytes, size_bytes

Reader = Callable[[Spot], Any]
"""Makes a value of what is written; None when it is wrong and noted."""

Spec = TypeVar("Spec", ServiceSpec, ModelSpec)

_KEYS: Final = {cls: {field.name for field in fields(cls)} - {"name"} for cls in (ServiceSpec, ModelSpec)}
SERVICE_KEYS: Final = _KEYS[ServiceSpec] | {"hosts"}
MODEL_KEYS: Final = _KEYS[ModelSpec]

_YES = "true|yes|on"
_NUMBER = "[0-9.e]{1,9}"
_RESTART = "no|always|unless-stopped|on-failure(:[1-9][0-9]{0,3})?"
_ADDRESS = r"[A-Za-z0-9_][A-Za-z0-9_.:%-]{0,252}"
_URL = r"https?://[^\s\\@/:][^\s\\@]*"
_DOCKER_HOST = r"unix:/+[^/\s]\S*|(tcp|ssh)://(\w[\w.-]*@)?(\w[\w.-]*|\[[\w:.%-]+\])(:[0-9]+)?/?"
_MOUNT = re.compile(r"(/[^:]*|(?:\.{1,2}|~)(?:/[^:]*)?|[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}):(/[^:]+)(:ro|:rw)?")


def spec_of(cls: type[Spec], spot: Spot, **required: str) -> Spec:
    """The service or model that a resolved entry describes; what is wrong is noted, and has its default."""
    return cls(**{**required, **read({key: _READERS[key] for key in _KEYS[cls] & _READERS.keys()}, spot)})


def read(readers: Mapping[str, Reader], spot: Spot) -> dict[str, Any]:
    """What is written for each key and is right."""
    spots = ((key, spot.get(key)) for key in readers if key in spot.node.table)
    found = ((key, readers[key](inner)) for key, inner in spots if inner.node.value is not None)
    return {key: value for key, value in found if value is not None}


@dataclass(frozen=True, slots=True)
class One:
    """Reads a scalar that matches the whole pattern; `make` raises ValueError for what is wrong all the same.
    A mistyped one may have been `meant` to be something, or `example`, which is told otherwise, or one of `words`."""

    should_be: str
    example: str
    pattern: str
    make: Callable[[str], Any] = str
    words: tuple[str, ...] = ()
    meant: Callable[[str], str | None] = lambda _: None

    def __call__(self, spot: Spot) -> Any:
        """The value; None when it is wrong and noted."""
        text = spot.node.text
        try:
            if text is not None and re.fullmatch(self.pattern, text):
                return self.make(text)
        except ValueError:
            pass
        near = self.meant(text or "") or nearest(text or "", (self.example, *self.words))
        return spot.wrong(self.should_be, near or f"such as {self.example}")


def many(reader: Reader) -> Reader:
    """Reads a list."""

    def all_of(spot: Spot) -> Any:
        if not isinstance(spot.node.value, list):
            return spot.wrong("a list", f"[{spot.node.text or 'A, B'}]")
        return tuple(value for value in map(reader, spot.items()) if value is not None)

    return all_of


def _port(text: str) -> int:
    if not 1 <= int(text) <= 65535:
        raise ValueError
    return int(text)


def _number(text: str) -> float:
    if not 0.001 <= float(text) < 1e6:
        raise ValueError
    return float(text)


def _bind(text: str) -> str:
    return text if text in ("loopback", "lan") else str(ipaddress.ip_address(text))


def _url(text: str) -> str:
    if urlsplit(text).port == 0:
        raise ValueError
    return text


def _mount(spot: Spot) -> Any:
    """With a full source: on this machine `./` starts at the inventory's folder."""
    found = _MOUNT.fullmatch(spot.node.text or "")
    if not found:
        return spot.wrong("source:target or source:target:ro, a path or volume and a full path", "./data:/data:ro")
    source, target, mode = found.groups()
    if source[0] in ".~":
        if not spot.local:
            return spot.wrong("a full path: this host is another machine", "start it with / or a volume's name")
        source = os.path.normpath(os.path.join(spot.folder, os.path.expanduser(source)))
    return f"{source}:{target}{':ro' if mode == ':ro' else ''}"


def _env(spot: Spot) -> dict[str, str | Secret]:
    found: dict[str, str | Secret] = {}
    for key, inner in spot.entries().items():
        if not key or "=" in key:
            inner.add("E014", f"'{key}' is no name for an environment variable", "write NAME: value")
        elif "from" in inner.node.table:
            found[key] = secret_of(inner) or ""
        elif inner.node.text is None:
            inner.wrong("text, or a secret", "{from: env, name: NAME}")
        else:
            text = inner.node.text
            found[key] = Secret(inner.where, partial(str, text)) if text and _is_kept(key, inner.node) else text
    return found


def _is_kept(name: str, node: Node) -> bool:
    """Whether a value is treated as a secret: it is called like one, or was given on the command line."""
    return is_hidden(name, node.via) or COMMAND_LINE in (node.at.file, *(at.file for _, at in node.via if at))


def _options(spot: Spot) -> dict[str, Any]:
    spots = spot.entries().items()
    return {key: secret_of(inner) if "from" in inner.node.table else plain(inner.node) for key, inner in spots}


def _or_auto(should_be: str, example: str, pattern: str, make: Callable[[str], Any]) -> One:
    """As `One`, or `auto`."""

    def value(text: str) -> Any:
        return text if text == AUTO else make(text)

    return One(f"{should_be}, or auto", example, f"{pattern}|{AUTO}", value, (AUTO,))


def _gpus(spot: Spot) -> Any:
    if isinstance(spot.node.value, list):
        return many(One("the id of a GPU", "0", r"\S+"))(spot)
    found = One("all, how many, a list of ids, or auto", "all", "all|auto|[0-9]{1,3}", str, (AUTO,))(spot)
    return found and ((found,) if found.strip("0") else ())


def _resources(spot: Spot) -> Resources:
    spot.entries(_RESOURCES)
    found = read(_RESOURCES, spot)
    return Resources(**{f"{key}_bytes" if key in ("memory", "shm") else key: found[key] for key in found})


def _adopt(spot: Spot) -> Any:
    if "container" not in spot.node.table:
        name = spot.node.text or "NAME"
        return spot.wrong("the name of a container in a mapping", f"{{container: {name}}}")
    spot.entries({"container"})
    return One("the name of a container", "my-ollama", r"[A-Za-z0-9][A-Za-z0-9_.-]+")(spot.get("container"))


def _update(spot: Spot) -> Update:
    spot.entries(_UPDATE)
    return Update(**read(_UPDATE, spot))


def _check(spot: Spot) -> Check | None:
    spot.entries(_CHECK)
    found = read(_CHECK, spot)
    if "prompt" not in found and spot.node.table:
        spot.add("E011", f"{spot.where} has no prompt", "prompt: What is 2 + 2?")
    return Check(**found) if found.get("prompt") else None


def _pattern(text: str) -> str:
    try:
        return re.compile(text).pattern
    except re.error as error:
        raise ValueError from error


def _serial(text: str) -> int | str:
    if not 1 <= int(text.removesuffix("%")) <= (100 if text.endswith("%") else 9999):
        raise ValueError
    return text if text.endswith("%") else int(text)


_UPDATE: Final[dict[str, Reader]] = {
    "serial": One("how many hosts at once", "2 or 25%", "[0-9]{1,4}%?", _serial),
    "max_fail": One("a whole number", "1", "[0-9]{1,4}", int),
    "drain_s": One("a number of seconds", "30", r"[0-9]{1,6}(\.[0-9]{1,3})?", float),
}

_CHECK: Final[dict[str, Reader]] = {
    **dict.fromkeys(("prompt", "text"), Spot.text),
    "pattern": One("a regular expression", "^4", "(?s).+", _pattern),
    "json_schema": lambda spot: plain(spot.node),
    **dict.fromkeys(("first_token_s", "tokens_per_s"), One("a number above 0", "20", _NUMBER, _number)),
    "device": One("gpu or cpu", "gpu", "gpu|cpu", str, ("cpu",)),
    "max_tokens": One("a whole number above 0", "128", "[1-9][0-9]{0,5}", int),
}

_RESOURCES: Final[dict[str, Reader]] = {
    "memory": _or_auto("a size with its unit, at least 6MiB", "8GiB", ".*", memory_bytes),
    "cpus": _or_auto("a number of CPUs", "2 or 0.5", _NUMBER, _number),
    "shm": _or_auto("a size with its unit", "64MiB", ".*", size_bytes),
    "pids": _or_auto("a whole number above 0", "200", "[1-9][0-9]{0,8}", int),
    "gpus": _gpus,
}

NAME_OF_TYPE: Final = One("the name of a type", "ollama", NAME_PATTERN.pattern)
PATTERN: Final = One("a pattern of at most 1000 characters", "gpu", "(?s).{0,1000}")

_SWITCH = One(
    "true or false",
    "true",
    f"(?i:{_YES}|false|no|off)",
    lambda text: bool(re.fullmatch(_YES, text.lower())),
    ("false",),
)

_READERS: Final[dict[str, Reader]] = {
    **dict.fromkeys(("type", "service", "source"), Spot.text),
    **dict.fromkeys(("args", "depends_on", "tags", "aliases"), many(Spot.text)),
    **dict.fromkeys(("insecure", "enabled", "stateful"), _SWITCH),
    "engine": One("docker or process", "docker", "docker|process", str, ("process",)),
    "image": One("the name of an image", "ollama/ollama:0.12.6", r"\S+"),
    "port": _or_auto("a number between 1 and 65535", "11434", "[0-9]{1,5}", _port),
    "bind": One("loopback, lan, or an IP address of the host", "loopback", ".*", _bind, ("lan",)),
    "url": One("an address, without user and password", "http://127.0.0.1:11434", _URL, _url),
    "env": _env,
    "mounts": many(_mount),
    "resources": _resources,
    "adopt": _adopt,
    "update": _update,
    "restart": One("no, always, unless-stopped or on-failure[:N]", "always", _RESTART, str, ("unless-stopped",)),
    "ready_timeout_s": One("a number above 0", "120", _NUMBER, _number),
    "stall_timeout_s": One("a number above 0", "120", _NUMBER, _number),
    "checks": many(_check),
    "options": _options,
}

TOP: Final[dict[str, One]] = {
    "stack": One("a-z, 0-9, _ and -; at most 63", "lab", NAME_PATTERN.pattern, meant=as_name),
    "compose_labels": _SWITCH,
}

_PLUGIN: Final = One("the path of a Python file", "plugins/speed.py", r".+\.py")


def _plugin(spot: Spot) -> str | None:
    """The full path of a plugin; one that is not there is noted."""
    if not (name := _PLUGIN(spot)):
        return None
    path = Path(spot.folder, name)
    if not path.is_file():
        near = nearest(path.name, [each.name for each in path.parent.glob("*.py")])
        fix = os.path.join(os.path.dirname(name), near) if near else "write it, or remove it here"
        spot.add("E054", f"the plugin '{name}' is not there", fix)
    return str(path)


PLUGINS: Final = many(_plugin)

_SSH: Final[dict[str, One]] = {
    "host": One("letters, digits, dots, _ and -", "10.0.0.13", _ADDRESS),
    "user": One("letters, digits, dots, _ and -", "ops", _ADDRESS),
    "port": One("between 1 and 65535", "22", "[0-9]{1,5}", _port),
}

HOST: Final[dict[str, One]] = {
    "engine": One("docker or process", "docker", "docker|process", str, ("process",)),
    "docker_host": One("unix:///PATH or tcp://HOST:PORT; no ssh:// yet", "tcp://gpu01:2376", _DOCKER_HOST, _url),
    "ansible_connection": One("local for this machine, else how Ansible connects", "local", ".*"),
    **{f"ansible_{key}": reader for key, reader in _SSH.items()},
    **{f"ansible_ssh_{key}": reader for key, reader in _SSH.items()},
}
"""The variables of a host that llmstack reads; the older names win, as in Ansible."""
