"""Write a file of the user's, once the changes were shown and agreed to."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.session import Session
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from llmstack.ui.text import Text


def write(session: Session, path: Path, old: str, new: str, question: str) -> None:
    """Show what changes, ask, and replace the file as a whole; makes its folder. Raises DeclinedError, and
    LlmstackError where it cannot be written."""
    session.err.put(diff(path.name, old, new))
    session.confirm(question)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.new")
        draft.write_text(new, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise LlmstackError(message, "look at the rights of this folder") from error


def diff(name: str, old: str, new: str) -> Iterator[Text]:
    """What changes, line by line."""
    from llmstack.ui.clean import line

    styles: Mapping[str, str] = {"+": "green", "-": "red", "@": "cyan"}
    found = difflib.unified_diff(old.splitlines(), new.splitlines(), f"{name} (there)", f"{name} (new)", lineterm="")
    return (line((text, styles.get(text[:1], ""))) for text in found)
