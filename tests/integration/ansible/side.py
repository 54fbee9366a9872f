"""Runs in ansible-core's environment: `side.py CASES ANSWERS FOLDER` tells what it makes of each case."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.inventory.helpers import sort_groups
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import expand_hostname_range
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

MAGIC = {"ansible_version", "ansible_playbook_python", "ansible_config_file", "playbook_dir", "omit", "groups"}
MAGIC |= {
    "inventory_file",
    "inventory_dir",
    "inventory_hostname",
    "inventory_hostname_short",
    "group_names",
    "role_names",
}
MAGIC |= {"ansible_facts", "ansible_local"}


def plain(value):
    """Without Ansible's own classes."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def hosts_of(pattern, inventory):
    try:
        return [host.name for host in inventory.get_hosts(pattern)]
    except AnsibleError:
        return None


def answer(case, folder):
    for name, text in case["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[str(folder / "inventory.yaml")])
    variables = VariableManager(loader, inventory)
    told = {"hosts": list(inventory.hosts), "groups": {}, "vars": {}, "groups_of": {}}
    for name, group in inventory.groups.items():
        told["groups"][name] = [host.name for host in group.get_hosts()]
    for name, host in inventory.hosts.items():
        found = variables.get_vars(host=host, include_hostvars=False, stage="all")
        told["vars"][name] = plain({key: value for key, value in found.items() if key not in MAGIC})
        told["groups_of"][name] = [group.name for group in sort_groups(host.groups) if group.name != "all"]
    told["patterns"] = {pattern: hosts_of(pattern, inventory) for pattern in case["patterns"]}
    return told


def expanded(text):
    try:
        return [str(name) for name in expand_hostname_range(text)]
    except (AnsibleError, ValueError, IndexError):
        return None


def main(given, answers, folder):
    Display.warning = Display.deprecated = Display.error_as_warning = lambda *_args, **_more: None
    told = []
    for number, case in enumerate(json.loads(Path(given).read_text(encoding="utf-8"))):
        here = Path(folder, str(number))
        told.append({"ranges": [expanded(text) for text in case["ranges"]]} if "ranges" in case else answer(case, here))
    Path(answers).write_text(json.dumps(told, default=str), encoding="utf-8")


main(*sys.argv[1:])
