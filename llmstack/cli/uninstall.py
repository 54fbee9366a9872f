"""`uninstall`."""

from __future__ import annotations

from llmstack.cli.flags import ALL, CHECK, EXCLUDE, HOST, LOCK_WAIT, OUTPUT, TIMEOUT, YES
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.cli.weights import listed

NOT_ON = EXCLUDE._replace(help="NAME of a host or group to leave out; may be given again.")


@verb(
    *(HOST, NOT_ON, ALL, OUTPUT, CHECK, YES, TIMEOUT, LOCK_WAIT),
    examples=("uninstall --check --limit gpu01", "uninstall --all --yes"),
)
def uninstall(session: Session) -> int:
    """Show what is left of a stack on its hosts, its data too, and remove it; asks first.

    With --all: of every stack on the hosts of the inventory (this machine, without one), weights and store too; the
    store stays where hosts are picked. `down` removes instances only.
    """
    from llmstack.ui.leftovers import leftover_lines

    everything, picked = session[ALL], session.selection
    found = session.look(lambda app: app.leftovers(picked, everything=everything))
    if session[CHECK] or not found.items:
        return listed(session, found.items, found.lost, "leftovers", leftover_lines(found, session.out.width))
    session.talk(leftover_lines(found, session.err.width))
    session.confirm(f"Remove all of that for good, with {'the data' if everything else 'its data'} and no way back?")
    return session.done(lambda app: app.uninstall(found, picked, everything=everything))
