"""Text from elsewhere (names, logs, servers), made safe to show."""

from __future__ import annotations

import codecs
import re

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]", re.DOTALL
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_ASCII = {
    "✓": "ok", "✗": "x", "·": "-", "→": "->", "…": "...", "━": "=", "╸": ">", "─": "-",
}  # fmt: skip


def clean(text: str) -> str:
    """One line of `text` without escape sequences and control characters; tabs and line ends become blanks."""
    return block(text).replace("\n", " ").replace("\t", " ")


def block(text: str) -> str:
    """As `clean`, but tabs and line ends stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def _fall_back(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


FALL_BACK = "llmstack.ascii"
"""Name of the encoding error handler that spells our symbols in ASCII."""
codecs.register_error(FALL_BACK, _fall_back)
