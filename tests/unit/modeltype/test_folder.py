"""Model files that are fetched to this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.instance import Weights
from llmstack.domain.progress import Progress
from llmstack.domain.weights import ModelFile, loads, whole
from llmstack.errors import FetchError, PreflightError
from llmstack.modeltype.folder import Folder, obtain
from llmstack.modeltype.source import gguf_weights
from tests.gguf_files import gguf
from tests.servers.files import FileServer, serving

BODY = gguf(50_000)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(FileServer(BODY)) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMSTACK_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


def weights_of(server: FileServer, pin: str = "") -> Weights:
    return gguf_weights(f"{server.url}/m.gguf{pin}", ".")


def fetch(weights: Weights) -> list[Progress]:
    steps: list[Progress] = []
    obtain(weights, steps.append)
    return steps


def left(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def test_a_fetched_file_is_whole_with_its_manifest_and_not_fetched_again(server: FileServer, home: Path) -> None:
    weights = weights_of(server)
    assert not whole(weights)
    assert fetch(weights)[-1].done
    assert Path(weights.path).read_bytes() == BODY
    manifest = loads((home / "manifests" / f"{weights.fingerprint}.json").read_bytes())
    assert manifest is not None
    assert manifest.fetched_at is not None
    assert replace(manifest, fetched_at=None) == ModelFile(
        fingerprint=weights.fingerprint,
        name="m.gguf",
        source=weights.source,
        size_bytes=len(BODY),
        sha256=hashlib.sha256(BODY).hexdigest(),
        architecture="llama",
        parameters=50_000 // 4 - 64,
        context=2048,
        quantization="Q4_K_M",
    )
    assert left(home) == [f"{weights.fingerprint}.json", "m.gguf"]
    server.asked.clear()
    assert fetch(weights) == []
    assert server.asked == []


def test_a_file_that_was_cut_since_is_fetched_again(server: FileServer, home: Path) -> None:
    weights = weights_of(server)
    fetch(weights)
    os.truncate(weights.path, 10)
    assert not whole(weights)
    assert [each.found_bytes for each in Folder().files()] == [10]
    fetch(weights)
    assert whole(weights)
    assert [each.found_bytes for each in Folder().files()] == [None]


def test_a_pinned_digest_counts(server: FileServer, home: Path) -> None:
    with pytest.raises(FetchError, match="the sha256 of what arrived is"):
        fetch(weights_of(server, f"#sha256={'0' * 64}"))
    assert left(home) == []
    weights = weights_of(server, f"#sha256={hashlib.sha256(BODY).hexdigest()}")
    fetch(weights)
    assert whole(weights)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>log in first</html>" * 9, "model file that came is not a GGUF file"),
        (BODY[:-5000], "model file that came is cut off: "),
    ],
)
def test_what_is_no_model_is_told_and_not_kept(server: FileServer, home: Path, body: bytes, message: str) -> None:
    server.body = body
    with pytest.raises(FetchError, match=message):
        fetch(weights_of(server))
    assert left(home) == []


def test_a_folder_that_cannot_be_is_told(server: FileServer, home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(PreflightError, match="cannot be made: Not a directory"):
        fetch(weights_of(server))
    home.unlink()
    home.mkdir()
    (home / "manifests").write_text("a file")
    with pytest.raises(FetchError, match="File exists"):
        fetch(weights_of(server))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 5000,
        b'{"fingerprint": "../a", "name": "m", "source": "s", "size_bytes": 1}',
        b'{"fingerprint": "a", "name": "..", "source": "s", "size_bytes": 1}',
        b'{"fingerprint": "a", "name": "m", "source": "s", "size_bytes": "1"}',
        b'{"fingerprint": "a", "name": "m", "source": "\\u001b[2J", "size_bytes": 1}',
        b'{"fingerprint": "a", "name": "m", "source": "s", "size_bytes": 0}',
        b'{"fingerprint": "a", "name": "m", "source": "s", "size_bytes": 1, "fetched_at": "x"}',
    ],
)
def test_what_is_no_manifest_counts_for_none(text: bytes) -> None:
    assert loads(text) is None


def test_a_manifest_of_a_newer_llmstack_is_read() -> None:
    text = b'{"fingerprint": "a", "name": "m", "source": "s", "size_bytes": 1, "colour": "red"}'
    assert loads(text) == ModelFile(fingerprint="a", name="m", source="s", size_bytes=1)
