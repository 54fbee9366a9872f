"""Text from elsewhere (names, logs, servers), made safe to show."""

from __future__ import annotations

import re

from rich.text import Text

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]", re.DOTALL
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def clean(text: str) -> str:
    """One line of `text` without escape sequences and control characters; tabs and line ends become blanks."""
    return block(text).replace("\n", " ").replace("\t", " ")


def block(text: str) -> str:
    """As `clean`, but tabs and line ends stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def prose(*parts: str | tuple[str, str] | Text) -> Text:
    """A line that may be broken at its blanks where a terminal is narrow, since nobody copies it as a command."""
    made = line(*parts)
    made.overflow = "fold"
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
