"""Each host as llmstack sees it: its variables, its engine, and how it is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from llmstack.domain.host import Host
from llmstack.inventory.interpolate import Scope
from llmstack.inventory.nodes import Node, Spot
from llmstack.inventory.tree import Machine
from llmstack.inventory.values import HOST, read


def host_of(machine: Machine, scope: Scope, spot: Spot, plain: Callable[[Node], Any]) -> Host:
    """The host with the variables that llmstack reads filled in; the others stay as they were written."""
    used = {name: node for name in HOST.keys() & machine.vars.keys() if (node := scope.variable(name))}
    found = read(HOST, replace(spot, node=replace(spot.node, value=used), where=machine.name))
    return Host(
        name=machine.name,
        vars={name: plain(node) for name, node in machine.vars.items()} | found,
        groups=tuple(machine.groups),
        engine=found.get("engine", "docker"),
        docker_host=_address(machine.name, found),
    )


def _address(name: str, found: Mapping[str, Any]) -> str | None:
    """What `docker_host` says; None for this machine; else SSH with Ansible's words for it, the older ones too."""
    if "docker_host" in found or name == "localhost" or found.get("ansible_connection") == "local":
        return found.get("docker_host")
    words = {key: found.get(f"ansible_ssh_{key}", found.get(f"ansible_{key}")) for key in ("host", "user", "port")}
    address = str(words["host"] or name)
    user = f"{words['user']}@" if words["user"] else ""
    port = f":{words['port']}" if words["port"] else ""
    return f"ssh://{user}{f'[{address}]' if ':' in address else address}{port}"
