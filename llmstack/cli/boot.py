"""`boot.install` and `boot.remove`."""

from __future__ import annotations

from llmstack.cli.flags import CHECK, OUTPUT_JSON, switch
from llmstack.cli.session import Session
from llmstack.cli.task import verb

SYSTEM = switch("system", "Of the system, not of this user; needs root.")
DOES = {True: "sudo systemctl daemon-reload", False: "systemctl --user daemon-reload && loginctl enable-linger"}
"""What makes a new unit known; a user's own runs at boot only if the user lingers."""


@verb(*(SYSTEM, CHECK, OUTPUT_JSON), kind="boot", examples=("boot.install", "boot.install --system --check"))
def boot_install(session: Session) -> int:
    """Let this inventory be made true when the machine starts: a systemd unit that runs `up`.

    In the order of `depends_on`, one warm-up per GPU. With --check the unit is only shown. Variables and secrets of
    this shell are not written into it: what the inventory needs belongs into `.env` beside it.
    """
    from llmstack.ui.clean import line

    system = session[SYSTEM]
    with session.app() as app:
        unit = app.boot(system=system)
        if not session[CHECK]:
            unit.install()
    document = session.document([{"target": unit.path.name, "path": str(unit.path), "text": unit.text}])
    shown = unit.text.splitlines() if session[CHECK] else [f"wrote {unit.path}"]
    code = session.answer(document, map(line, shown))
    if not session[CHECK]:
        session.talk([line(("Make it known:", "bold"), f"  {DOES[system]}")])
    return code


@verb(*(SYSTEM, OUTPUT_JSON), kind="boot", examples=("boot.remove", "boot.remove --system"))
def boot_remove(session: Session) -> int:
    """Take that unit away; what runs goes on."""
    from llmstack.ui.clean import line

    with session.app() as app:
        unit = app.boot(system=session[SYSTEM])
        there = unit.remove()
    document = session.document([{"target": unit.path.name, "path": str(unit.path), "removed": there}])
    return session.answer(document, [line("removed " if there else "not there: ", str(unit.path))])
