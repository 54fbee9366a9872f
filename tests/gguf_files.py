"""GGUF files made by hand."""

from __future__ import annotations

import struct

U32, FLOAT, BOOL, STRING, ARRAY, U64 = 4, 6, 7, 8, 9, 10


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def tensor(name: str, *dimensions: int, kind: int = 0, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<{len(dimensions)}Q", *dimensions)
    return text(name) + struct.pack("<I", len(dimensions)) + sizes + struct.pack("<IQ", kind, offset)


def header(*keys: bytes, tensors: tuple[bytes, ...] = (), version: int = 3) -> bytes:
    counts = struct.pack("<IQQ", version, len(tensors), len(keys))
    return b"GGUF" + counts + b"".join(keys) + b"".join(tensors)


def gguf(size_bytes: int, context: int = 2048) -> bytes:
    """A whole file with a header of a small llama, and bytes that differ from place to place."""
    keys = (
        key("general.architecture", STRING, text("llama")),
        key("general.file_type", U32, struct.pack("<I", 15)),
        key("llama.context_length", U32, struct.pack("<I", context)),
    )
    head = header(*keys, tensors=(tensor("a", size_bytes // 4 - 64),))
    return head + b"".join(struct.pack("<I", n) for n in range((size_bytes - len(head)) // 4))
