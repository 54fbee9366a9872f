"""What a model takes, against figures that are known of real models."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from llmstack.domain.footprint import Footprint, gguf_footprint, guessed
from llmstack.domain.instance import Weights
from tests.gguf_files import ARRAY, STRING, U32, header, key, text

GIB = 1 << 30


def number(name: str, value: int) -> bytes:
    return key(f"llama.{name}", U32, struct.pack("<I", value))


def llama(layers: int, width: int, heads: int, kv_heads: int | list[int], *more: bytes) -> bytes:
    each = kv_heads if isinstance(kv_heads, list) else None
    packed = struct.pack(f"<IQ{len(each or ())}I", U32, len(each or ()), *(each or ()))
    kv = (
        key("llama.attention.head_count_kv", ARRAY, packed)
        if each
        else number("attention.head_count_kv", int(kv_heads))  # type: ignore[arg-type]
    )
    return header(
        key("general.architecture", STRING, text("llama")),
        number("context_length", 131072),
        number("block_count", layers),
        number("embedding_length", width),
        number("attention.head_count", heads),
        number("vocab_size", 128256),
        kv,
        *more,
    )


def footprint(tmp_path: Path, content: bytes, size_bytes: int, context: int) -> Footprint:
    path = tmp_path / "m.gguf"
    path.write_bytes(content + b"\0" * 32)
    found = gguf_footprint(Weights(source="", path=str(path), fingerprint="f", size_bytes=size_bytes), context)
    assert found
    return found


@pytest.mark.parametrize(
    ("shape", "size_gib", "kv_gib", "whole_gib"),
    [
        ((28, 3072, 24, 8), 1.88, 0.88, 3.4),
        ((28, 3584, 28, 4), 4.36, 0.44, 5.5),
        ((32, 4096, 32, 8), 4.58, 1.0, 6.3),
        ((80, 8192, 64, 8), 39.6, 2.5, 43),
    ],
)
def test_real_models_at_8k_are_near_what_is_known_of_them(
    tmp_path: Path, shape: tuple[int, int, int, int], size_gib: float, kv_gib: float, whole_gib: float
) -> None:
    found = footprint(tmp_path, llama(*shape), int(size_gib * GIB), 8192)
    assert found.kv_bytes / GIB == pytest.approx(kv_gib, rel=0.02)
    assert found.gpu_bytes / GIB == pytest.approx(whole_gib, rel=0.1)


def test_layers_may_have_heads_of_their_own_and_the_context_may_be_the_models(tmp_path: Path) -> None:
    found = footprint(tmp_path, llama(2, 512, 8, [8, 0]), GIB, 0)
    assert (found.context, found.kv_bytes) == (131072, 131072 * 8 * (64 + 64) * 2)


def test_a_compressed_cache_has_one_head_and_no_value(tmp_path: Path) -> None:
    more = (number("attention.key_length", 576), number("attention.key_length_mla", 192))
    assert footprint(tmp_path, llama(3, 512, 8, 1, *more), GIB, 100).kv_bytes == 3 * 100 * 576 * 2


def test_a_file_that_is_not_here_tells_nothing_and_its_size_is_a_guess() -> None:
    assert gguf_footprint(None, 1) is None
    assert gguf_footprint(Weights(source="hf:a/b", path="/none", fingerprint="f"), 1) is None
    assert guessed(8 * GIB) == Footprint(weights_bytes=8 * GIB, kv_bytes=2 * GIB, context=0, rough=True)
