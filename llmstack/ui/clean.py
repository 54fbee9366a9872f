"""Lines to show, whatever their parts hold."""

from __future__ import annotations

from llmstack.domain.clean import clean
from llmstack.ui.text import Text


def prose(*parts: str | tuple[str, str] | Text) -> Text:
    """A line that may be broken at its blanks where a terminal is narrow, since nobody copies it as a command."""
    made = line(*parts)
    made.prose = True
    return made


def line(*parts: str | tuple[str, str] | Text) -> Text:
    """One line of parts, each plain, (text, style), or a line made before; whatever they hold, it is safe to show."""
    made = Text()
    for part in parts:
        if isinstance(part, Text):
            made.append_text(part)
        else:
            text, style = (part, "") if isinstance(part, str) else part
            made.append(clean(text), style)
    return made
