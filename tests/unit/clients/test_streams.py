from __future__ import annotations

import itertools
import json
import threading

import pytest

from llmstack.clients.streams import lines, ndjson, sse
from llmstack.domain.ticking import ticking
from llmstack.errors import ServerError
from llmstack.testing.clock import FakeClock
from tests.unit.clients.conftest import chunks


def events(*texts: str, clock: FakeClock | None = None, idle_s: float = 60) -> list[dict]:
    return list(sse([text.encode() for text in texts], "x", clock or FakeClock(), idle_s))


def kind(call) -> str:
    with pytest.raises(ServerError) as caught:
        call()
    return caught.value.kind


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_lines_are_joined_however_the_bytes_arrive(size):
    data = 'a\nbb\n\n{"ü": 1}'.encode()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert list(lines(pieces, "x")) == [b"a\n", b"bb\n", b"\n", '{"ü": 1}'.encode()]


def test_a_line_above_64_kib_is_not_kept():
    assert kind(lambda: list(lines(itertools.repeat(b"x" * 1000), "x"))) == "protocol"


def test_a_last_line_without_its_newline_counts():
    assert list(ndjson([b'{"a":1}\n\n{"b"', b":2}"], "x")) == [{"a": 1}, {"b": 2}]


def test_a_last_line_that_breaks_off_is_cut():
    assert kind(lambda: list(ndjson([b'{"a":1}\n{"b"'], "x"))) == "cut"


@pytest.mark.parametrize("line", [b"no json\n", b"[1]\n", b"null\n", b"\xff\xfe\n"])
def test_a_whole_line_that_is_no_object_breaks_the_protocol(line):
    assert kind(lambda: list(ndjson([line], "x"))) == "protocol"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("pull-unknown-model", "server"), ("chat-runner-killed", "killed"), ("generate-runner-killed", "killed")],
)
def test_an_error_line_inside_a_good_stream_raises_with_its_words(name, expected):
    recorded = chunks(f"ollama/{name}")
    with pytest.raises(ServerError) as caught:
        list(ndjson([text.encode() for text in recorded], "x"))
    assert caught.value.kind == expected
    assert caught.value.data["text"] == json.loads(recorded[-1])["error"]


def test_lines_before_an_error_line_are_handed_out():
    found = ndjson([text.encode() for text in chunks("ollama/chat-runner-killed")], "x")
    assert next(found)["message"]["content"] == "Title"


@pytest.mark.parametrize(
    ("name", "count"),
    [("ollama/v1-chat-stream-usage", 10), ("llama-server/chat-stream-usage", 11), ("llama-server/chat-stream", 10)],
)
def test_recorded_event_streams_end_with_done(name, count):
    assert len(events(*chunks(name))) == count


def test_events_survive_any_split_of_the_bytes():
    text = "".join(chunks("llama-server/chat-stream"))
    assert events(*text) == events(text)


def test_carriage_returns_comments_and_other_fields_are_skipped():
    assert events(": ping\r\n", "event: message\r\nid: 1\r\n", 'data: {"a": 1}\r\n\r\n', "data:[DONE]\r\n") == [
        {"a": 1}
    ]


def test_an_openai_stream_of_a_killed_runner_just_ends_and_is_cut():
    assert kind(lambda: events(*chunks("ollama/v1-chat-runner-killed"))) == "cut"


def test_the_end_without_done_is_fine_after_a_finish_reason():
    assert len(events(*chunks("ollama/v1-chat-stream")[:-1])) == 9


def test_an_error_object_inside_an_event_stream_raises():
    with pytest.raises(ServerError, match="x failed: out of memory") as caught:
        events('data: {"error": {"message": "out of memory", "type": "server_error"}}\n\n')
    assert caught.value.kind == "memory"


def test_an_error_of_an_unknown_shape_raises_too():
    assert kind(lambda: events('data: {"error": 7}\n\n')) == "server"


def test_comments_are_no_progress():
    clock = FakeClock()

    def pings():
        yield b'data: {"a": 1}\n\n'
        while True:
            clock.advance(30)
            yield b":\n\n"

    assert kind(lambda: list(sse(pings(), "x", clock, 300))) == "timeout"


def test_an_event_starts_the_patience_anew():
    clock = FakeClock()

    def slow():
        for _ in range(20):
            clock.advance(200)
            yield b': ping\n\ndata: {"a": 1}\n\n'
        yield b"data: [DONE]\n\n"

    assert len(list(sse(slow(), "x", clock, 300))) == 20


def test_ticks_come_while_nothing_else_does():
    release = threading.Event()

    def source(leaving):
        release.wait()
        yield "late"

    found = ticking(source, 0.001)
    assert [next(found), next(found)] == [None, None]
    release.set()
    assert [item for item in found if item] == ["late"]


def test_the_error_of_a_source_is_raised_in_the_reader():
    def source(leaving):
        yield 1
        raise ServerError("boom", kind="cut")

    found = ticking(source, 5)
    assert next(found) == 1
    assert kind(lambda: next(found)) == "cut"


def test_a_reader_that_leaves_ends_the_source():
    closed = threading.Event()

    def source(leaving):
        try:
            yield from itertools.count()
        finally:
            closed.set()

    found = ticking(source, 5)
    assert next(found) == 0
    found.close()
    assert closed.wait(60)


def test_a_silent_source_is_told_that_its_reader_left():
    told = threading.Event()

    def source(leaving):
        leaving(told.set)
        yield 1
        told.wait()

    found = ticking(source, 5)
    assert next(found) == 1
    found.close()
    assert told.is_set()


def test_a_source_that_opens_after_its_reader_left_is_told_at_once():
    started, release, told = threading.Event(), threading.Event(), threading.Event()

    def source(leaving):
        started.set()
        release.wait()
        leaving(told.set)
        yield 1

    found = ticking(source, 0.001)
    next(found)
    assert started.wait(60)
    found.close()
    release.set()
    assert told.wait(60)


def test_a_reader_that_is_slow_holds_the_source_back():
    sent = []

    def source(leaving):
        for number in range(5000):
            sent.append(number)
            yield number

    found = ticking(source, 5)
    assert next(found) == 0
    assert len(sent) < 5000
    assert list(found) == list(range(1, 5000))
