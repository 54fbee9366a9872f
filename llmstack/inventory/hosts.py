"""A machine of the tree to a Host: which engine, at which address."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from llmstack.domain.host import Host
from llmstack.domain.names import nearest
from llmstack.inventory.interpolate import Scope
from llmstack.inventory.nodes import Scalar, plain
from llmstack.inventory.problems import Problems
from llmstack.inventory.tree import Machine

ENGINES: Final = ("docker", "process")

_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:%-]{0,252}")
_USED = ("engine", "docker_host", "ansible_connection", "ansible_host", "ansible_user", "ansible_port")


def host_of(machine: Machine, scope: Scope, problems: Problems) -> Host:
    """The host with the variables that llmstack reads filled in; the others stay as they were written."""
    reader = _Reader(scope, problems)
    variables = {name: plain(entry.node) for name, entry in machine.vars.items()}
    used = {name: value.value for name in _USED if (value := scope.variable(name))}
    engine = reader.one_of("engine", ENGINES) or ENGINES[0]
    address = reader.docker_host(machine.name)
    return Host(machine.name, variables | used, machine.groups, engine, address)


class _Reader:
    def __init__(self, scope: Scope, problems: Problems) -> None:
        self._scope = scope
        self._problems = problems

    def one_of(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self._scope.variable(name)
        if value is None or value.text in choices:
            return value.text if value else None
        should_be = f"{name} should be {' or '.join(choices)}"
        self._problems.add(value.at, "E013", should_be, nearest(value.text, choices))
        return None

    def docker_host(self, name: str) -> str | None:
        """What `docker_host` says; None for this machine; else SSH with Ansible's words for it."""
        if given := self._scope.variable("docker_host"):
            return self._given(given)
        connection = self._scope.variable("ansible_connection")
        if name == "localhost" or (connection and connection.text == "local"):
            return None
        address = self._checked("ansible_host") or name
        user = self._checked("ansible_user")
        port = self._port()
        shown = f"[{address}]" if ":" in address else address
        return f"ssh://{f'{user}@' if user else ''}{shown}{f':{port}' if port else ''}"

    def _given(self, value: Scalar) -> str | None:
        try:
            parts = urlsplit(value.text)
            ok = bool(parts.path) if parts.scheme == "unix" else bool(_ADDRESS.fullmatch(parts.hostname or ""))
            ok = ok and parts.scheme in ("unix", "tcp", "ssh") and (parts.port is None or parts.port > 0)
            ok = ok and not (parts.username or "").startswith("-")
        except ValueError:
            ok = False
        if not ok:
            fix = "unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host"
            self._problems.add(value.at, "E013", "docker_host should be the address of an engine", fix)
        return value.text if ok else None

    def _checked(self, name: str) -> str | None:
        value = self._scope.variable(name)
        if value is None or _ADDRESS.fullmatch(value.text):
            return value.text if value else None
        self._problems.add(value.at, "E013", f"{name} should be letters, digits, dots, _ and -")
        return None

    def _port(self) -> int | None:
        value = self._scope.variable("ansible_port")
        if value is None:
            return None
        if re.fullmatch(r"[0-9]{1,5}", value.text) and 1 <= int(value.text) <= 65535:
            return int(value.text)
        self._problems.add(value.at, "E013", "ansible_port should be between 1 and 65535")
        return None
