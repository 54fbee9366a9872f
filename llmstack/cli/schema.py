"""`schema`."""

from __future__ import annotations

import json

from llmstack.cli.flags import OUTPUT_JSON, Flag, choice
from llmstack.cli.session import Session
from llmstack.cli.task import look
from llmstack.errors import OK, UsageError

INVENTORY = "inventory"
_ANSWERS = "run status stats gpus sync leftovers weights du history event doctor why hosts groups settings"
NAMES = (*_ANSWERS.split(), INVENTORY)
KIND: Flag[str | None] = choice("kind", f"KIND of answer: {', '.join(NAMES)}.", *NAMES, default=None)


@look(KIND, OUTPUT_JSON, kind="schema", examples=("schema --kind run", "schema --kind event"))
def schema(session: Session) -> int:
    """Show a JSON Schema of an answer, of a line of -o ndjson, or of an inventory.

    A run is what tasks that change something answer.
    """
    from llmstack.cli.schemas import schema_of
    from llmstack.reference import inventory_schema

    kind = session[KIND]
    if kind is None:
        raise UsageError("which schema?", f"name one with --kind: {' '.join(NAMES)}")
    found = inventory_schema() if kind == INVENTORY else schema_of(kind)
    session.write(json.dumps(found, indent=2) + "\n")
    return OK
