"""`why`."""

from __future__ import annotations

from llmstack.cli.flags import CHECK, OUTPUT_JSON, SELECT, TIMEOUT, YES, switch
from llmstack.cli.session import Session
from llmstack.cli.task import verb

FIX = switch("fix", "Write the change into the inventory's host_vars, and try once more.")


@verb(
    *(*SELECT, OUTPUT_JSON, FIX, CHECK, YES, TIMEOUT),
    kind="why",
    examples=("why --model demo", "why --model demo --fix --yes"),
)
def why(session: Session) -> int:
    """Say on one page why a model is as it is, and what to change where.

    State, ladder, exit, restarts, memory, the log around the first error, and the line of the inventory. --fix makes
    the change for memory, context, shared memory and port: it shows it, asks, and brings the model up once more;
    with --check it only shows it.
    """
    from llmstack.cli.written import agreed, diff, write
    from llmstack.domain.selection import Selection
    from llmstack.ui.why import why_lines

    with session.app(session.screen(keep=False)) as app:
        inquest = app.why(session.selection)
        rewrites = app.fix(inquest) if session[FIX] else ()
    if session[CHECK] or not rewrites:
        code = session.answer(inquest.as_json(), why_lines(inquest, session.out.width))
        for path, old, new in rewrites:
            session.err.put(diff(path.name, old, new))
        if session[FIX] and not rewrites:
            session.warn("nothing here can be mended by --fix")
        return code
    session.talk(why_lines(inquest, session.err.width))
    for path, old, new in rewrites:
        agreed(session, path.name, old, new, f"Write {path}, and bring it up again?")
        write(path, new)
    return session.done(lambda app: app.up(Selection(models=tuple(map(str, inquest.fixes)))))
