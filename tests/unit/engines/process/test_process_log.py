"""The log: rotated by the shim, read and followed across it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from llmstack.domain.instance import Instance
from llmstack.engines.process import launch
from llmstack.engines.process.engine import ProcessEngine
from llmstack.engines.process.log import LINE_BYTES, LogWriter, follow, read
from tests.unit.engines.process.support import fetch, until

Serve = Callable[..., Instance]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_log_stays_in_its_bounds_and_cuts_between_lines(folder: Path) -> None:
    writer = LogWriter(100)
    for number in range(30):
        writer.write(f"line {number:04d}\n".encode())
    sizes = [(folder / name).stat().st_size for name in ("log", "log.1")]
    assert max(sizes) <= 110
    assert list(read(folder, None)) == [f"line {number:04d}" for number in range(11, 30)]
    assert (folder / "log.1").read_text().endswith("\n")


def test_a_writer_goes_on_where_the_last_one_stopped(folder: Path) -> None:
    LogWriter(100).write(b"first\n")
    LogWriter(100).write(b"second\n")
    assert list(read(folder, None)) == ["first", "second"]


def test_a_piece_without_line_end_is_rotated_too(folder: Path) -> None:
    writer = LogWriter(10)
    for piece in (b"12345678", b"90ab", b"cdef"):
        writer.write(piece)
    assert list(read(folder, None)) == ["1234567890abcdef"]


def test_a_full_disk_loses_lines_not_the_server(folder: Path) -> None:
    os.symlink("/dev/full", folder / "log")
    LogWriter(100).write(b"lost\n")
    assert not (folder / "log.1").exists()


@pytest.mark.parametrize(("tail", "lines"), [(None, ["a", "b", "c"]), (2, ["b", "c"]), (9, ["a", "b", "c"]), (0, [])])
def test_tail_counts_lines_from_the_end_over_both_files(folder: Path, tail: int | None, lines: list[str]) -> None:
    (folder / "log.1").write_bytes(b"a\n")
    (folder / "log").write_bytes(b"b\r\nc")
    assert list(read(folder, tail)) == lines


def test_bytes_that_are_no_text_are_shown_all_the_same(folder: Path) -> None:
    (folder / "log").write_bytes(b"\xff\xfe caf\xc3\xa9\n")
    assert list(read(folder, None)) == ["\ufffd\ufffd café"]


def test_an_endless_line_is_cut(folder: Path) -> None:
    (folder / "log").write_bytes(b"x" * (2 * LINE_BYTES + 5))
    assert [len(line) for line in read(folder, None)] == [LINE_BYTES, LINE_BYTES, 5]


def test_no_log_has_no_lines(folder: Path) -> None:
    assert list(read(folder, 5)) == []
    assert list(follow(folder, None, lambda: False)) == []


def test_following_crosses_any_number_of_rotations_and_ends_with_the_instance(folder: Path) -> None:
    writer = LogWriter(60)
    wanted = [f"line {number:04d}" for number in range(50)]
    pending = list(wanted)

    def alive() -> bool:
        for _ in range(7):  # more than one file, never more than two
            if pending:
                writer.write(pending.pop(0).encode() + b"\n")
        return bool(pending)

    assert list(follow(folder, None, alive)) == wanted


def test_following_starts_with_the_tail_and_ends_with_a_line_that_has_no_end(folder: Path) -> None:
    writer = LogWriter()
    writer.write(b"old\nnewer\n")
    pieces = [b"", b"be", b"gun\nlast words"]

    def alive() -> bool:
        writer.write(pieces.pop(0))
        return bool(pieces)

    assert list(follow(folder, 1, alive)) == ["newer", "begun", "last words"]


def test_a_reader_may_stop_at_any_line(engine: ProcessEngine, serve: Serve) -> None:
    name = serve("--say", "hello").container_name
    lines = engine.logs(name, follow=True)
    assert next(lines) == "hello"
    lines.close()  # type: ignore[attr-defined]
    assert next(engine.logs(name)) == "hello"


def test_a_real_server_is_followed_to_its_end_across_rotations(
    engine: ProcessEngine, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "LOG_BYTES", 30_000)
    server = serve("--lines", "500", "--exit", "3", restart="no", answers=False)
    lines = list(engine.logs(server.container_name, follow=True))
    assert lines[-1].startswith("line 499 ")
    folder = engine.root / server.container_name
    assert (folder / "log.1").stat().st_mode & 0o777 == 0o600
    assert sum((folder / name).stat().st_size for name in ("log", "log.1")) <= 60_000 + LINE_BYTES


def test_the_log_goes_on_over_starts_and_names_requests(engine: ProcessEngine, serve: Serve, port: int) -> None:
    name = serve("--say", "hello").container_name
    engine.stop(name, 10.0)
    engine.start(name)
    until(lambda: fetch(port, "/again") == "ok")
    until(lambda: '"GET /again HTTP/1.1" 200 -' in list(engine.logs(name)))
    assert list(engine.logs(name)).count("hello") == 2
    assert len(list(engine.logs(name, tail=1))) == 1
