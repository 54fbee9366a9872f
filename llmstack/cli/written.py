"""Files of the user's: changes are shown and agreed to, and a file is written as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.session import Session
from llmstack.errors import LlmstackError, refused

if TYPE_CHECKING:
    from llmstack.ui.text import Text


def agreed(session: Session, name: str, old: str, new: str, question: str) -> None:
    """Show what changes in a file, and ask. Raises DeclinedError."""
    session.err.put(diff(name, old, new))
    session.confirm(question)


def write(path: Path, text: str) -> None:
    """Write a file as a whole, and make its folder. Raises LlmstackError where it cannot be."""
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.new")
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)


def writable(path: Path) -> AbstractContextManager[None]:
    """What the system refuses at `path` becomes an LlmstackError."""
    return refused(LlmstackError, f"{path} cannot be written", "look at the rights of this folder")


def diff(name: str, old: str, new: str) -> Iterator[Text]:
    """What changes, line by line."""
    import difflib

    from llmstack.ui.clean import line

    styles: Mapping[str, str] = {"+": "green", "-": "red", "@": "cyan"}
    found = difflib.unified_diff(old.splitlines(), new.splitlines(), f"{name} (there)", f"{name} (new)", lineterm="")
    return (line((text, styles.get(text[:1], ""))) for text in found)
