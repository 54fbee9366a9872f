"""The header of a GGUF file, read without loading it.

Layout (little-endian): magic, u32 version, u64 tensor count, u64 key count; each key: string, u32 type, value; each
tensor: name, u32 dimensions, u64 per dimension, u32 type, u64 offset; data follows, aligned. Source: ggml's gguf.md.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from llmstack.errors import PreflightError

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY, _WHOLE = 8, 9, (4, 5, 10, 11)
_MAX_STRING_BYTES, _MAX_ITEMS, _MAX_TENSORS, _MAX_DIMENSIONS = 64 << 20, 1 << 24, 1 << 20, 8
_LONGEST_WORD, _LONGEST_LIST = 64, 4096
_NAMES = (
    "F32 F16 Q4_0 Q4_1 - - - Q8_0 Q5_0 Q5_1 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K IQ2_XXS IQ2_XS "
    "Q2_K_S IQ3_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ3_M IQ2_S IQ2_M IQ4_XS IQ1_M BF16 - - - TQ1_0 TQ2_0 MXFP4"
)
_FILE_TYPES = _NAMES.split()
"""`general.file_type` by number."""
_BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 30: (1, 2)}
"""Tensor type -> (elements, bytes) of one block; types that are not listed only lower the bound on the file's size."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a header tells: `values` holds scalars and strings, of an array its items where they are few whole
    numbers, else how many they are; `parameters` counts the elements
    of all tensors; `data_end_bytes` is the least size that the whole file must have."""

    version: int
    values: dict[str, object]
    tensors: int
    parameters: int
    data_end_bytes: int

    @property
    def architecture(self) -> str | None:
        """As `llama`."""
        return _text(self.values.get("general.architecture"))

    @property
    def context(self) -> int | None:
        """Tokens that it was trained for."""
        told = self.values.get(f"{self.architecture}.context_length")
        return told if isinstance(told, int) else None

    @property
    def quantization(self) -> str | None:
        """As `Q4_K_M`."""
        told = self.values.get("general.file_type")
        known = isinstance(told, int) and 0 <= told < len(_FILE_TYPES) and _FILE_TYPES[told] != "-"
        return _FILE_TYPES[told] if known and isinstance(told, int) else None


def _text(value: object) -> str | None:
    """A word of a file as it may be shown."""
    return value if isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST_WORD else None


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def scalar(self, kind: str) -> int | float | bool:
        (value,) = struct.unpack_from(kind, self.data, self.at)
        self.at += struct.calcsize(kind)
        return value  # type: ignore[no-any-return]

    def count(self, most: int) -> int:
        value = int(self.scalar("<Q"))
        if value > most:
            raise ValueError(f"absurd length {value}")
        return value

    def string(self) -> str:
        length = self.count(_MAX_STRING_BYTES)
        self.at += length
        if self.at > len(self.data):
            raise struct.error("string beyond the end")
        return self.data[self.at - length : self.at].decode("utf-8", "replace")

    def value(self, kind: int) -> object:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        if kind not in _SCALARS:
            raise ValueError(f"unknown value type {kind}")
        return self.scalar(_SCALARS[kind])

    def array(self) -> object:
        kind, length = int(self.scalar("<I")), self.count(_MAX_ITEMS)
        if kind in _WHOLE and length <= _LONGEST_LIST:
            return tuple(int(self.scalar(_SCALARS[kind])) for _ in range(length))
        if kind == _STRING:
            for _ in range(length):
                item_bytes = self.count(_MAX_STRING_BYTES)
                self.at += item_bytes
        elif kind in _SCALARS:
            self.at += length * struct.calcsize(_SCALARS[kind])
        else:
            raise ValueError("nested arrays")
        return length


def read_header(path: Path) -> GgufHeader:
    """Read a header. Raises ValueError (no GGUF), struct.error (cut off inside the header), OSError."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError("no GGUF magic")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _header(_Reader(data))


def _header(reader: _Reader) -> GgufHeader:
    reader.at = 4
    version = int(reader.scalar("<I"))
    tensors, keys = reader.count(_MAX_TENSORS), reader.count(_MAX_TENSORS)
    values = {}
    for _ in range(keys):
        key = reader.string()
        values[key] = reader.value(int(reader.scalar("<I")))
    sizes = [_tensor(reader) for _ in range(tensors)]
    alignment = values.get("general.alignment")
    step = alignment if isinstance(alignment, int) and alignment > 0 else 32
    start = -(-reader.at // step) * step
    end = max((end for _, end in sizes), default=0)
    return GgufHeader(version, values, tensors, sum(count for count, _ in sizes), start + end)


def _tensor(reader: _Reader) -> tuple[int, int]:
    """How many elements it has, and where its data ends."""
    reader.string()
    elements, dimensions = 1, int(reader.scalar("<I"))
    if dimensions > _MAX_DIMENSIONS:
        raise ValueError(f"a tensor of {dimensions} dimensions")
    for _ in range(dimensions):
        elements *= int(reader.scalar("<Q"))
    per_block, block_bytes = _BLOCKS.get(int(reader.scalar("<I")), (1, 0))
    return elements, int(reader.scalar("<Q")) + elements // per_block * block_bytes


def check_gguf(path: str) -> GgufHeader:
    """The header of a whole GGUF file. Raises PreflightError for one that is none, empty, or cut off."""
    advice = "fetch the file again, or correct `source:`"
    try:
        header = read_header(Path(path))
        size_bytes = Path(path).stat().st_size
    except (struct.error, IndexError):
        raise PreflightError(f"model file {path} is cut off inside its header", advice, path=path) from None
    except ValueError as error:
        raise PreflightError(f"model file {path} is not a GGUF file ({error})", advice, path=path) from None
    except OSError as error:
        raise PreflightError(f"model file {path} cannot be read: {error.strerror}", advice, path=path) from None
    if size_bytes < header.data_end_bytes:
        missing = header.data_end_bytes - size_bytes
        raise PreflightError(f"model file {path} is cut off: {missing} bytes are missing", advice, path=path)
    return header
