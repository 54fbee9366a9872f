"""`store.info`, `store.backup`, `store.vacuum` and `store.check`."""

from __future__ import annotations

from llmstack.cli.flags import FILE, OUTPUT_JSON
from llmstack.cli.session import Session
from llmstack.cli.task import look, verb
from llmstack.errors import UsageError


@look(OUTPUT_JSON, kind="store", examples=("store.info", "store.info -o json"))
def store_info(session: Session) -> int:
    """Show where the store lies, how large it is, and what is in it."""
    from llmstack.domain.units import moment, size
    from llmstack.ui.clean import line

    with session.app() as app:
        found = app.store.info()
    oldest = moment(found["oldest_run_at"]) if found["oldest_run_at"] else "-"
    rows = "  ".join(f"{name} {count}" for name, count in found["rows"].items())
    told = {
        "store": found["target"],
        "size": f"{size(found['size_bytes'])}, {size(found['used_bytes'])} of it in use",
        "schema": f"{found['schema']}, journal {found['journal']}",
        "rows": rows,
        "since": oldest,
    }
    lines = [line((f"{name:<8}", "dim"), str(value)) for name, value in told.items()]
    return session.answer(session.document([found]), lines)


@verb(
    *(FILE, OUTPUT_JSON),
    kind="store",
    examples=("store.backup --file store-copy.db", "store.backup --file /backup/llmstack.db -o json"),
)
def store_backup(session: Session) -> int:
    """Copy the store to a new file; others may write to it meanwhile.

    The copy is a store: `--store FILE` reads it, and moving it to where the store lies gives it back.
    """
    from llmstack.domain.units import size
    from llmstack.ui.clean import line

    file = session[FILE]
    if not file:
        raise UsageError("where to?", "name a file that is not there yet with --file")
    with session.app() as app:
        copied = app.store.copy(file)
    document = session.document([{"target": file, "size_bytes": copied}])
    return session.answer(document, [line(("copied ", "green"), f"{file}  {size(copied)}")])


@verb(OUTPUT_JSON, kind="store", examples=("store.vacuum", "store.vacuum -o json"))
def store_vacuum(session: Session) -> int:
    """Give the room of rows that are gone back to the disk."""
    from llmstack.domain.units import size
    from llmstack.ui.clean import line

    with session.app() as app:
        path, (before, after) = app.store.path, app.store.vacuum()
    item = {"target": path, "before_bytes": before, "size_bytes": after}
    return session.answer(session.document([item]), [line(path, f"  {size(before)} → {size(after)}")])


@look(OUTPUT_JSON, kind="store", examples=("store.check", "store.check -o json"))
def store_check(session: Session) -> int:
    """Prove that the store is whole; fails with 11 when it is not, and changes nothing."""
    from llmstack.ui.clean import line

    with session.app() as app:
        app.store.check()
        path = app.store.path
    return session.answer(session.document([{"target": path, "ok": True}]), [line(path, ("  whole", "green"))])
