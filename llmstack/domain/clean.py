"""Text from elsewhere (names, logs, servers), made safe to show and to keep."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_].*?(?:\x07|\x1b\\|$)|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]", re.DOTALL
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_SECRET = re.compile(
    r"(?i)(?<=[\w/])(\?)[\w%]\S*|(\b(?:bearer|basic) )\S+|((?:token|key|secret|password)['\"]?[=:] ?)\S+|(://)[^/\s@]+@"
)


def clean(text: str) -> str:
    """One line of `text` without escape sequences and control characters; tabs and line ends become blanks."""
    return block(text).replace("\n", " ").replace("\t", " ")


def block(text: str) -> str:
    """As `clean`, but tabs and line ends stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without `secrets` and what else may be one: queries of URLs, and what looks like a password."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "...")
    return _SECRET.sub(lambda found: f"{''.join(filter(None, found.groups()))}...", text)
