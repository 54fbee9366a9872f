"""A container's log stream as lines. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

HEADER = 8
LONGEST = 1024 * 1024
"""A line without end is cut here, so that no server can fill our memory."""


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """`(stream, payload)` of each frame: one byte stream (1 stdout, 2 stderr), three of padding, length, payload."""
    buffer = b""
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= HEADER:
            end = HEADER + int.from_bytes(buffer[4:HEADER])
            if len(buffer) < end:
                break
            yield buffer[0], buffer[HEADER:end]
            buffer = buffer[end:]


def lines(pieces: Iterable[tuple[int, bytes]]) -> Iterator[str]:
    """Whole lines without their newline, in the order in which they end.

    The engine cuts long lines into frames of 16 kB, with frames of the other stream in between.
    """
    open_lines: dict[int, bytes] = {}
    for stream, piece in pieces:
        *whole, rest = (open_lines.pop(stream, b"") + piece).split(b"\n")
        yield from (_text(line) for line in whole)
        if len(rest) > LONGEST:
            yield _text(rest)
        elif rest:
            open_lines[stream] = rest
    yield from (_text(rest) for rest in open_lines.values())


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").removesuffix("\r")
