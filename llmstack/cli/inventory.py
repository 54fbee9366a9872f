"""`inventory`, `inventory.graph`, `inventory.host` and `inventory.explain`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmstack.cli.flags import HOST, OUTPUT, OUTPUT_JSON, Flag, name, names, switch
from llmstack.cli.picked import selection
from llmstack.cli.session import Session
from llmstack.cli.task import look
from llmstack.errors import OK, UsageError

if TYPE_CHECKING:
    from llmstack.domain.setting import Setting

NAME = names("name", "NAME of a model or service, or NAME@HOST", "n")
LIST = switch("list", "Print the JSON of a dynamic inventory, as Ansible reads it.")
WHICH = HOST._replace(also=(*HOST.also, "name"))
LIMIT = names("limit", "Only hosts of this PATTERN, such as gpu:!gpu02", "l")
ONE = Flag[tuple[str, ...]](
    "host", "Print the JSON of this HOST's variables, as Ansible reads it.", (), name, kind=list
)


@look(LIST, LIMIT, ONE, OUTPUT, kind="hosts", examples=("inventory", "inventory --list"))
def inventory(session: Session) -> int:
    """Show the hosts of the inventory, how they are reached and what is placed on them; asks no host.

    With --list, and with --host NAME, it answers as Ansible wants it of an inventory that is a program.
    """
    from llmstack.ui.inventory import as_ansible, host_lines, host_rows

    with session.app() as app:
        one = session[ONE]
        hosts = [host for host, _ in app.hosts(*session[LIMIT], *one)]
        if one and len(hosts) != 1:
            raise UsageError("--host is one host here", "to show some of them: --limit PATTERN")
        if session[LIST] or one:
            found = hosts[0].vars if one else as_ansible(app.inventory)
            session.write(json.dumps(found, indent=2, default=str) + "\n")
            return OK
        rows = host_rows(app.inventory, hosts)
    return session.answer(session.document(rows), host_lines(rows, session.out.width))


@look(OUTPUT_JSON, kind="groups", examples=("inventory.graph", "inventory.graph -o json"))
def inventory_graph(session: Session) -> int:
    """Draw groups, their hosts, and the services of each host."""
    from llmstack.ui.inventory import graph_lines

    with session.app() as app:
        found = app.inventory
    items = [{"target": name, "hosts": node.hosts, "children": node.children} for name, node in found.tree.items()]
    return session.answer(session.document(items), graph_lines(found))


@look(
    *(WHICH, OUTPUT_JSON),
    kind="settings",
    examples=("inventory.host --host gpu01", "inventory.host --host gpu -o json"),
)
def inventory_host(session: Session) -> int:
    """Show the variables of a host, each with the file and line that set it."""
    with session.app() as app:
        return _told(session, [(host.name, settings) for host, settings in app.hosts(*session[HOST])])


@look(
    *(NAME, HOST, OUTPUT_JSON),
    kind="settings",
    examples=("inventory.explain --name demo", "inventory.explain --name llama3@gpu01 -o json"),
)
def inventory_explain(session: Session) -> int:
    """Show every value of a model or service on a host, with the file and line that set it; secrets stay hidden."""
    names, hosts = session[NAME], session[HOST]
    with session.app() as app:
        return _told(session, [(str(target), found) for target, found in app.explain(selection(names, hosts=hosts))])


def _told(session: Session, found: Sequence[tuple[str, Sequence[Setting]]]) -> int:
    from llmstack.ui.inventory import setting_lines

    items = [{"target": target, **each.as_json()} for target, settings in found for each in settings]
    lines = (row for target, settings in found for row in setting_lines(target, settings, session.out.width))
    return session.answer(session.document(items), lines)
