"""Token rates; pure. Tokens are counted by the server: one piece of text may hold several."""

from __future__ import annotations


class Meter:
    """Notes when pieces of text arrive, by the client's clock."""

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._last_s = 0.0

    def text_at(self, now_s: float) -> None:
        """A piece of text (or thinking) arrived."""
        self._first_s = now_s if self._first_s is None else self._first_s
        self._last_s = now_s

    def tokens_per_s(self, tokens: int | None) -> float | None:
        """Rate between first and last piece: the first token came with the first piece, so it does not count."""
        if self._first_s is None or tokens is None:
            return None
        return rate(tokens - 1, self._last_s - self._first_s)


def rate(count: float | None, seconds: float | None) -> float | None:
    """`count` in `seconds` as a number per second; None where that says nothing."""
    return count / seconds if count and seconds and count > 0 and seconds > 0 else None


def number(value: object) -> int | None:
    """A whole number that a server sent; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: object) -> str:
    """A string that a server sent; "" for anything else."""
    return value if isinstance(value, str) else ""
