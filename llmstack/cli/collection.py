"""All tasks, for both front doors."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.ask import ask
from llmstack.cli.backup import backup, restore
from llmstack.cli.boot import boot_install, boot_remove
from llmstack.cli.change import down, pull, restart, rm, rollback, up, update
from llmstack.cli.doctor import doctor
from llmstack.cli.health import health, wait
from llmstack.cli.history import history
from llmstack.cli.init import init
from llmstack.cli.inventory import inventory, inventory_explain, inventory_graph, inventory_host
from llmstack.cli.logs import logs
from llmstack.cli.menu import menu
from llmstack.cli.plugged import plugged
from llmstack.cli.plugins import plugins_trust
from llmstack.cli.schema import schema
from llmstack.cli.session import Session
from llmstack.cli.stats import gpus, stats
from llmstack.cli.status import status
from llmstack.cli.store import store_backup, store_check, store_info, store_vacuum
from llmstack.cli.sync import sync
from llmstack.cli.task import Verb
from llmstack.cli.uninstall import uninstall
from llmstack.cli.weights import du, weights_list, weights_prune, weights_verify
from llmstack.cli.why import why
from llmstack.pluginfiles import beside_tasks, bundled_folder, files_in

if TYPE_CHECKING:
    from invoke.collection import Collection

SHOW = "show"
"""What plain Invoke calls a task that has the name of a collection: `inventory` is `inventory.show` there."""

GROUPS: dict[str, tuple[Verb, ...]] = {
    "Make the inventory true": (up, down, restart, update, rollback, pull, rm),
    "Look, and talk": (status, menu, stats, gpus, health, wait, why, logs, ask, history, doctor),
    "Keep": (backup, restore, sync, uninstall, du, weights_list, weights_verify, weights_prune),
    "The store": (store_info, store_check, store_backup, store_vacuum),
    "Set up": (init, inventory, inventory_graph, inventory_host, inventory_explain, schema, plugins_trust),
    "At boot": (boot_install, boot_remove),
}
VERBS = tuple(task for tasks in GROUPS.values() for task in tasks)


def namespace(tasks_file: str | None = None) -> Collection:
    """A fresh collection of all tasks; with the name of a tasks.py also those of the plugins beside it."""
    folder = Path(tasks_file).absolute().parent / "plugins" if tasks_file else bundled_folder()
    beside_tasks[:] = files_in(folder) if folder != bundled_folder() else ()
    more = plugged(sys.argv[1:], [task.name for task in VERBS], Session("invoke"))
    return collection((*VERBS, *more))


def collection(verbs: Sequence[Verb]) -> Collection:
    """A collection of these tasks; those with dots in collections of their own."""
    from invoke.collection import Collection

    from llmstack.cli.invoked import Invoked

    root = Collection("llmstack")
    families = {verb.name.partition(".")[0] for verb in verbs if "." in verb.name}
    for verb in verbs:
        task = Invoked(verb)
        family, _, own = verb.name.partition(".")
        if family not in families:
            root.add_task(task)
            continue
        if family not in root.collections:
            root.add_collection(Collection(family))
        root.collections[family].add_task(task, name=own or SHOW, default=not own)
    return root
