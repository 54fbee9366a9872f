"""`schema`."""

from __future__ import annotations

import json

from llmstack.cli.flags import OUTPUT_JSON, Flag, one_of
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import OK, UsageError

NAMES = ("run", "status", "sync", "event")
KIND = Flag[str | None]("kind", f"Of what: {', '.join(NAMES)}.", None, one_of(*NAMES))


@verb(KIND, OUTPUT_JSON, kind="schema", reads_only=True)
def schema(session: Session) -> int:
    """Show the JSON Schema of an answer: the document of a run, of `status` or `sync`, or one line of -o ndjson."""
    from llmstack.cli.schemas import schema_of

    kind = session[KIND]
    if kind is None:
        raise UsageError("which schema?", f"name one with --kind: {' '.join(NAMES)}")
    session.write(json.dumps(schema_of(kind), indent=2) + "\n")
    return OK
