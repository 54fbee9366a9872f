"""Tasks that go on and show the same again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from llmstack.cli.flags import OUTPUT
from llmstack.cli.session import Session
from llmstack.errors import LlmstackError, UsageError

if TYPE_CHECKING:
    from llmstack.ui.text import Text


def check_endless(session: Session) -> None:
    """Let it be ended by Ctrl-C, with nothing to say of that. Raises UsageError for a format that needs an end."""
    session.endless = True
    if session[OUTPUT] not in ("text", "ndjson"):
        raise UsageError("--watch has no end, so it makes no document", "take -o ndjson")


def redraws(session: Session) -> bool:
    """Whether each look takes the place of the one before."""
    return session.out.redraws and session[OUTPUT] == "text"


def show_again(
    session: Session, items: Iterable[Mapping[str, Any]], lines: Iterable[Text], *errors: LlmstackError
) -> None:
    """One look of many: on a terminal in the place of the one before, elsewhere without the errors that were told with
    that; as lines of JSON each item."""
    if session[OUTPUT] == "ndjson":
        for item in items:
            session.lines.put("item", item)
    else:
        session.out.put_anew(lines)
    session.tell(*(error for error in errors if redraws(session) or error.message not in session.told))
    session.told = {error.message for error in errors}
