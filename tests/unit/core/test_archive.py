"""The file of a backup: what it says of itself, and that a cut or strange one is told."""

from __future__ import annotations

import io
import json
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmstack.core.archive import HEAD, Manifest, check_place, contents, inspect, save
from llmstack.domain.progress import Progress, counted
from llmstack.errors import FetchError, PreflightError

MANIFEST = Manifest(
    stack="lab", service="page", type="open-webui", image="i:1", volumes=("data",), created_at=1.8e9, version="1.0.0"
)


def volumes(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


DATA = volumes(("data/users", b"anna" * 1000), ("data/zeros", bytes(5000)))


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = str(tmp_path / "page.tar")
    save(path, MANIFEST, iter([DATA[:700], DATA[700:]]))
    return path


def test_a_backup_is_a_plain_tar_that_says_what_it_is_of_and_nobody_else_reads(file: str) -> None:
    with tarfile.open(file) as tar:
        assert tar.getnames() == [HEAD, "data/users", "data/zeros"]
        head = tar.extractfile(HEAD)
        assert head is not None
        assert json.load(head)["service"] == "page"
    assert inspect(file) == MANIFEST
    assert b"".join(contents(file)) == DATA
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert os.listdir(os.path.dirname(file)) == ["page.tar"]


def test_it_has_its_name_only_once_it_is_whole(file: str) -> None:
    def breaks() -> Iterator[bytes]:
        yield DATA[:700]
        raise FetchError("the engine broke off")

    part = Path(file).with_name(".page.tar.part")
    part.write_text("of a killed run")
    part.chmod(0o644)
    with pytest.raises(FetchError, match="broke off"):
        save(file, MANIFEST, breaks())
    assert b"".join(contents(file)) == DATA
    assert os.listdir(os.path.dirname(file)) == ["page.tar"]
    save(file, MANIFEST, iter([volumes()]))
    assert b"".join(contents(file)) == volumes()
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600


def test_a_place_that_takes_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="No such file"):
        save(str(tmp_path / "nowhere" / "page.tar"), MANIFEST, iter([DATA]))


def test_a_place_is_checked_before_anything_is_written(tmp_path: Path) -> None:
    check_place(str(tmp_path / "page.tar"), 1000)
    wrong = {
        str(tmp_path / "nowhere" / "page.tar"): "No such file",
        str(tmp_path): "it is no file",
        "/proc/page.tar": "No such file",
        str(tmp_path / ("x" * 300)): "File name too long",
    }
    for path, why in wrong.items():
        with pytest.raises(PreflightError, match=why):
            check_place(path)
    with pytest.raises(PreflightError, match=r"it takes up to 1152922 TB, and [\d.]+ .B are free there"):
        check_place(str(tmp_path / "page.tar"), 1 << 60)
    assert os.listdir(tmp_path) == []


def test_a_backup_that_was_cut_anywhere_is_told(file: str) -> None:
    whole = Path(file).read_bytes()
    end = len(whole.rstrip(b"\0"))
    for size in (0, 100, 511, 512, 1024, 2000, end - 600, end, len(whole) - len(volumes()) + 512):
        Path(file).write_bytes(whole[:size])
        with pytest.raises(PreflightError, match=r"page\.tar"):
            inspect(file)


@pytest.mark.parametrize("content", [DATA, b"no tar", volumes((HEAD, b"{}")), volumes((HEAD, b"no json"))])
def test_what_is_no_backup_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(PreflightError, match=r"no whole backup"):
        inspect(str(tmp_path / "x"))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (str(tmp_path / "nothing"), str(tmp_path), None):
        with pytest.raises(PreflightError):
            inspect(path)
    with pytest.raises(FetchError):
        list(contents(str(tmp_path / "nothing")))


def test_progress_is_told_now_and_then() -> None:
    steps: list[Progress] = []
    assert sum(map(len, counted(iter([bytes(512)] * 5000), "page.tar", steps.append))) == 2_560_000
    assert [(step.completed_bytes, step.done) for step in steps] == [
        *((1 << 20, False), (2 << 20, False), (2_560_000, True))
    ]
