"""Sizes as people write them."""

from __future__ import annotations

import re

MIN_MEMORY_BYTES = 6 * 1024**2
"""Docker refuses less."""

_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s?([KMGT]?)(i?B|)", re.IGNORECASE)


def size_bytes(text: str, least: int = 1) -> int:
    """Bytes of `8GiB` (1024), `8GB` (1000) or Docker's short `8g` (1024). Raises ValueError."""
    match = _SIZE.fullmatch(text)
    if not match or not (match[2] or match[3]):
        raise ValueError
    base = 1000 if match[3].lower() == "b" else 1024
    size = int(float(match[1]) * base ** (" KMGT".index(match[2].upper() or " ")))
    if not least <= size <= 2**53:
        raise ValueError
    return size


def memory_bytes(text: str) -> int:
    """As `size_bytes`, of a limit that Docker takes. Raises ValueError."""
    return size_bytes(text, MIN_MEMORY_BYTES)
