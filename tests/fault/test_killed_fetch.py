"""A fetch that is killed at any moment goes on where it was, and a full disk keeps nothing broken."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmstack.domain.weights import whole
from llmstack.errors import LlmstackError
from llmstack.modeltype.folder import obtain
from llmstack.modeltype.source import gguf_weights
from tests import disks
from tests.gguf_files import gguf
from tests.meta.source import ROOT
from tests.servers.files import FileServer, serving

BODY = gguf(12_000_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
BYTES = [1, *(len(BODY) * part // 5 for part in range(1, 5)), len(BODY)]
MOMENTS = [*map(str, BYTES), "checking", "open .tmp", "rename .json", "rename m.gguf", "fetched"]


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(FileServer(BODY)) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMSTACK_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


def run(source: str, moment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tests/fault/doomed_fetch.py"), source, moment]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_it_goes_on_and_ends_with_the_right_bytes(
    server: FileServer, home: Path, moment: str
) -> None:
    weights = gguf_weights(f"{server.url}/m.gguf", ".")
    killed = run(weights.source, moment)
    assert killed.returncode == -9, killed.stderr
    if Path(weights.path).exists():
        assert hashlib.sha256(Path(weights.path).read_bytes()).hexdigest() == SHA256
    kept = sum(part.stat().st_size for part in home.rglob("*.part"))
    server.asked.clear()
    obtain(weights, lambda _: None)
    assert hashlib.sha256(Path(weights.path).read_bytes()).hexdigest() == SHA256
    assert whole(weights)
    assert sorted(path.suffix for path in home.rglob("*") if path.is_file() and path.suffix != ".tmp") == [
        ".gguf",
        ".json",
    ]
    resumed = [None] if not kept else [f"bytes={kept}-"] if kept < len(BODY) else []
    assert server.ranges_asked == ([] if moment == "fetched" else resumed)


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for model files on a disk of 4 MiB."""
    with disks.small_disk(tmp_path / "small", "4m") as place:
        monkeypatch.setenv("LLMSTACK_WEIGHTS", str(place / "weights"))
        yield place


def test_what_does_not_fit_is_refused_with_figures_before_a_byte_is_fetched(
    server: FileServer, small_disk: Path
) -> None:
    with pytest.raises(LlmstackError, match=r"needs 12\.0 MB, the disk of .* has 4\.2 MB") as caught:
        obtain(gguf_weights(f"{server.url}/m.gguf", "."), lambda _: None)
    assert (caught.value.name, caught.value.data["needed_bytes"]) == ("preflight", len(BODY))
    assert server.ranges_asked == []
    assert not list(small_disk.rglob("*.part"))


def test_a_disk_that_gets_full_is_told_with_figures_and_its_room_is_given_back(
    server: FileServer, small_disk: Path
) -> None:
    """Somebody else takes the room while it is fetched."""
    server.body = BODY[: 3 << 20]

    def fill(_: object) -> None:
        if not (small_disk / "hog").exists():
            (small_disk / "hog").write_bytes(bytes(3 << 20))

    weights = gguf_weights(f"{server.url}/m.gguf", ".")
    with pytest.raises(LlmstackError, match=r"needs 3\.1 MB, the disk of .* has 1\.\d MB") as caught:
        obtain(weights, lambda step: fill(step) if step.completed_bytes else None)
    assert (caught.value.name, caught.value.data["kind"]) == ("fetch", "disk_full")
    assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["hog"]
