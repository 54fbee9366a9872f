"""Log frames, pull lines and what a command inside says."""

from __future__ import annotations

import pytest

from llmstack.engines.docker import DockerEngine
from llmstack.engines.docker.logs import LONGEST, frames, lines
from llmstack.engines.docker.pull import progress
from llmstack.errors import LlmstackError
from tests.unit.engines.docker.stub import Stub


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4) + payload


def test_a_line_in_several_frames_comes_whole_though_the_other_stream_speaks_between() -> None:
    data = frame(1, b"lo") + frame(2, b"error\n") + frame(1, b"ng\nnext\n")
    assert list(lines(frames([data]))) == ["error", "long", "next"]


@pytest.mark.parametrize("size", [1, 3, 8, 100])
def test_frames_may_be_cut_anywhere(size: int) -> None:
    data = frame(1, "größer\n".encode()) + frame(2, b"\n") + frame(1, b"end")
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert list(lines(frames(chunks))) == ["größer", "", "end"]


def test_a_cut_last_frame_is_dropped_and_bad_utf8_shown_as_such() -> None:
    assert list(lines(frames([frame(1, b"\xff\r\n") + frame(1, b"cut")[:9]]))) == ["\ufffd"]


def test_a_line_without_end_is_cut() -> None:
    pieces = [(1, b"x" * LONGEST), (1, b"yy"), (1, b"z\n")]
    assert [len(line) for line in lines(pieces)] == [LONGEST + 2, 1]


def pulled(*entries: dict[str, object]) -> list[tuple[str, int, int | None]]:
    return [(step.phase, step.completed_bytes, step.total_bytes) for step in progress("i:1", entries)]


def downloading(layer: str, current: int, total: int) -> dict[str, object]:
    return {"status": "Downloading", "id": layer, "progressDetail": {"current": current, "total": total}}


def test_bytes_of_all_layers_are_summed() -> None:
    steps = pulled(
        {"status": "Pulling from i", "id": "1"},
        downloading("a", 50, 100),
        downloading("b", 10, 20),
        downloading("a", 5, 100),
        {"status": "Download complete", "id": "a"},
        {"status": "Digest: sha256:1"},
    )
    assert steps == [
        ("pulling", 50, 100),
        ("pulling", 60, 120),
        ("pulling", 15, 120),
        ("pulling", 110, 120),
        ("pulled", 120, 120),
    ]


def test_an_engine_that_tells_no_bytes_still_ends() -> None:
    assert pulled({"status": "Pulling fs layer", "id": "a"}, {"status": "Download complete", "id": "a"}) == [
        ("pulled", 0, None)
    ]


def test_a_download_that_breaks_off_is_not_all_there_and_goes_on_where_it_was() -> None:
    steps = pulled(
        downloading("a", 40, 100),
        downloading("a", 100, 100),
        {"status": "Retrying in 5 seconds", "id": "a"},
        downloading("a", 10, 60),
        {"status": "Download complete", "id": "a"},
    )
    assert steps == [("pulling", 40, 100), ("pulling", 50, 100), ("extracting", 100, 100), ("pulled", 100, 100)]


def test_where_it_stands_is_told_while_nothing_comes_and_while_it_is_unpacked() -> None:
    steps = [
        (step.phase, step.completed_bytes)
        for step in progress(
            "i:1",
            [
                None,
                downloading("a", 50, 100),
                None,
                {"status": "Download complete", "id": "a"},
                {"status": "Extracting", "id": "a", "progressDetail": {"current": 1, "units": "s"}},
            ],
        )
    ]
    assert steps == [
        ("starting", 0),
        ("pulling", 50),
        ("pulling", 50),
        ("extracting", 100),
        ("extracting", 100),
        ("pulled", 100),
    ]


def test_what_a_command_says_is_kept_though_it_comes_together_with_the_head(engine: DockerEngine, stub: Stub) -> None:
    stub.on("POST .*/containers/web/exec", 200, {"Id": "job"})
    stub.on("POST .*/exec/job/start", 200, frame(1, b"it is ") + frame(2, b"broken\n"))
    stub.on("GET .*/exec/job/json", 200, {"ExitCode": 3})
    with pytest.raises(LlmstackError, match=r"sh in web ended with 3: it is broken$"):
        engine.execute("web", ("sh", "-c", "exit 3"))
