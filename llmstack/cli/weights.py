"""`weights.list`, `weights.verify`, `weights.prune` and `du`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from llmstack.cli.flags import CHECK, HOST, LOCK_WAIT, OUTPUT, OUTPUT_JSON, TIMEOUT, YES
from llmstack.cli.session import Session
from llmstack.cli.task import look, verb
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from llmstack.ui.text import Text

Lost = Mapping[Any, LlmstackError]
"""Why something could not be asked, by what it is."""


def listed(session: Session, items: Iterable[Any], lost: Lost, kind: str, lines: Iterable[Text]) -> int:
    """Show what there is, and what could not be asked; returns the exit code."""
    session.tell(*lost.values())
    document = session.document((item.as_json() for item in items), *lost.values(), kind=kind)
    return session.answer(document, lines)


@look(*(HOST, OUTPUT), kind="weights", examples=("weights.list", "weights.list --host gpu -o json"))
def weights_list(session: Session) -> int:
    """Show the model files that were fetched or copied to hosts: what is in them, and who uses them."""
    from llmstack.ui.weights import weights_lines

    found = session.look(lambda app: app.weights(session[HOST]))
    return listed(session, found.items, found.lost, "weights", weights_lines(found, session.out.width))


@look(*(HOST, OUTPUT, TIMEOUT), examples=("weights.verify", "weights.verify --host gpu01 --timeout 1h"))
def weights_verify(session: Session) -> int:
    """Read every model file and compare it with the digest that it came with; changes nothing."""
    return session.done(lambda app: app.verify_weights(session[HOST]))


@verb(
    *(HOST, OUTPUT, CHECK, YES, TIMEOUT, LOCK_WAIT),
    examples=("weights.prune --check", "weights.prune --host gpu01 --yes"),
)
def weights_prune(session: Session) -> int:
    """Delete the model files that neither the inventory nor an instance of any stack uses; asks first.

    Copies on this machine that only containers needed go too: each host has its own in its volume.
    """
    from llmstack.ui.weights import weights_lines

    found = session.look(lambda app: app.weights(session[HOST]).unused)
    if session[CHECK] or not found.items:
        return listed(session, found.items, found.lost, "weights", weights_lines(found, session.out.width))
    session.talk(weights_lines(found, session.err.width))
    session.confirm("Delete these model files?")
    return session.done(lambda app: app.prune_weights(found))


@look(*(HOST, OUTPUT_JSON), kind="du", examples=("du", "du --host gpu -o json"))
def du(session: Session) -> int:
    """Show what models take on the disks of hosts: those of servers, and model files."""
    from llmstack.ui.weights import du_lines

    rows, stock = session.look(lambda app: app.disk_use(session[HOST]))
    return listed(session, rows, stock.lost, "du", du_lines(rows, session.out.width))
