"""PURE but for a look at a file: how much memory a model takes, estimated from the header of its GGUF file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llmstack.domain.gguf import GgufHeader, check_gguf
from llmstack.domain.instance import Weights
from llmstack.errors import PreflightError

MIB, GIB = 1 << 20, 1 << 30
BATCH, F16_BYTES, F32_BYTES = 512, 2, 4
DRIVER_BYTES, MARGIN = 384 * MIB, 1.05
"""What the libraries take on each GPU, and what an estimate is short of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """An estimate: the weights, the cache of `context` tokens, buffers to compute in, and what the server may keep of
    old prompts. The weights are read through the page cache where they are `mapped`. `rough` when only the size of the
    file is known."""

    weights_bytes: int
    kv_bytes: int
    context: int
    compute_bytes: int = 0
    prompts_bytes: int = 0
    mapped: bool = True
    rough: bool = False

    @property
    def gpu_bytes(self) -> int:
        """All of it on one GPU."""
        return round((self.weights_bytes + self.kv_bytes + self.compute_bytes) * MARGIN) + DRIVER_BYTES


def gguf_footprint(
    weights: Weights | None, context: int, *, prompts_bytes: int = 0, mapped: bool = True
) -> Footprint | None:
    """What a file takes with a cache of 16 bits for `context` tokens (0: as many as it was trained for); None where the
    file is not here."""
    if weights is None:
        return None
    try:
        header = check_gguf(weights.path)
    except PreflightError:
        return None
    context = context or header.context or 0
    size_bytes = weights.size_bytes or Path(weights.path).stat().st_size
    return Footprint(
        weights_bytes=size_bytes,
        kv_bytes=context * _token_bytes(header),
        compute_bytes=BATCH * _vocabulary(header) * F32_BYTES,
        context=context,
        prompts_bytes=prompts_bytes,
        mapped=mapped,
    )


def guessed(size_bytes: int) -> Footprint:
    """Of a file that is still to come: a quarter on top, for what only its header tells."""
    return Footprint(weights_bytes=size_bytes, kv_bytes=max(GIB, size_bytes // 4), context=0, rough=True)


def _token_bytes(header: GgufHeader) -> int:
    """What the cache holds of one token, over all layers. Layers with a sliding window are counted in full."""
    told = {name.partition(".")[2]: value for name, value in header.values.items()}
    layers, heads = _number(told, "block_count"), _number(told, "attention.head_count")
    width = _number(told, "embedding_length") // heads if heads else 0
    key, value = _number(told, "attention.key_length", width), _number(told, "attention.value_length", width)
    if "attention.key_length_mla" in told:  # compressed: one head, and no value beside the key
        return layers * key * F16_BYTES
    each = told.get("attention.head_count_kv")
    kv_heads = sum(each) if isinstance(each, tuple) else layers * _number(told, "attention.head_count_kv", heads)
    return kv_heads * (key + value) * F16_BYTES


def _vocabulary(header: GgufHeader) -> int:
    tokens = _number(header.values, "tokenizer.ggml.tokens")
    return _number(header.values, f"{header.architecture}.vocab_size", tokens)


def _number(told: Mapping[str, object], name: str, otherwise: int = 0) -> int:
    found = told.get(name)
    if isinstance(found, tuple):
        found = max(found, default=None)
    return found if isinstance(found, int) and 0 <= found < 1 << 32 else otherwise
