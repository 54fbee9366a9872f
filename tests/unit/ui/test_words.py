"""Figures, foreign text, and streams."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from llmstack.ui import units
from llmstack.ui.clean import block, clean
from llmstack.ui.console import open_streams, put, wants_color
from tests.unit.ui.conftest import Terminal


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (units.size(0), "0 B"),
        (units.size(999), "999 B"),
        (units.size(94_371_840), "94 MB"),
        (units.size(999_960), "1 MB"),
        (units.size(1_900_000_000), "1.9 GB"),
        (units.size(5 * 10**15), "5000 TB"),
        (units.size(None), "-"),
        (units.size_of(2_900_000_000, 4_700_000_000), "2.9/4.7 GB"),
        (units.memory(7_945_689_497), "7.4 GiB"),
        (units.memory(None), "-"),
        (units.memory_of(int(1.2 * 2**30), 12 * 2**30), "1.2/12 GiB"),
        (units.memory_of(2**30, None), "1 GiB"),
        (units.memory_of(None, 2**30), "-"),
        (units.duration(0.04), "0.0 s"),
        (units.duration(9.96), "10 s"),
        (units.duration(43.2), "43 s"),
        (units.duration(130), "2 min"),
        (units.duration(7200), "2 h"),
        (units.duration(200_000), "2 d"),
        (units.millis(38.2), "38 ms"),
        (units.millis(999.7), "1.0 s"),
        (units.rate(118.4), "118 tokens/s"),
        (units.rate(8.64), "8.6 tokens/s"),
        (units.percent(63.4), "63 %"),
        (units.percent(None), "-"),
        (units.countdown(3681.9), "1:01:21"),
    ],
)
def test_figures_read_well(shown, text):
    assert shown == text


@pytest.mark.parametrize(
    ("foreign", "safe"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice\x1b\\rest", "rest"),
        ("\x1b(Bplain", "plain"),
        ("\x9b2Jgone", "gone"),
        ("\x1b]0;never closed", ""),
        ("tab\there\nline\r", "tab here line"),
        ("bell\x07 null\x00 del\x7f", "bell null del"),
        ("\u202eright to left\u2066", "right to left"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("[bold]not markup[/bold] :smile:", "[bold]not markup[/bold] :smile:"),
        ("日本語 é", "日本語 é"),
    ],
)
def test_foreign_text_cannot_move_the_cursor(foreign, safe):
    assert clean(foreign) == safe


def test_a_block_keeps_its_lines():
    assert block("a\n\tb\x1b[1m\x00") == "a\n\tb"


@pytest.mark.parametrize(
    ("color", "environ", "terminal", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_the_flag_then_no_color_then_force_color_decide(color, environ, terminal, wanted):
    assert wants_color(color, environ, terminal) is wanted


@pytest.mark.parametrize(
    ("environ", "live"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "CI": "true"}, False)],
)
def test_only_a_terminal_outside_ci_is_redrawn(environ, live):
    assert open_streams(out=io.StringIO(), err=Terminal(), environ=environ).live is live


def test_streams_are_decided_apart():
    streams = open_streams(out=io.StringIO(), err=Terminal(), environ={"TERM": "xterm"})
    put(streams.out, [Text("data", "red")])
    put(streams.err, [Text("talk", "red")])
    assert streams.out.file.getvalue() == "data\n"
    assert streams.err.file.getvalue() == "\x1b[31mtalk\x1b[0m\n"


def test_data_for_a_file_is_never_cut():
    streams = open_streams(out=io.StringIO(), err=io.StringIO(), environ={})
    put(streams.out, [Text("x" * 5000)])
    assert streams.out.file.getvalue() == "x" * 5000 + "\n"
    assert streams.err.width == 80


def test_commands_are_spelled_for_the_door():
    streams = open_streams(door="llmstack", out=io.StringIO(), err=io.StringIO(), environ={})
    assert streams.command("up") == "llmstack up"
    assert streams.spell("run `invoke down --orphans`, or ask whoever invoked it") == (
        "run `llmstack down --orphans`, or ask whoever invoked it"
    )


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_reader_that_went_away_matters_on_stdout_alone():
    streams = open_streams(out=Broken(), err=Broken(), environ={})
    put(streams.err, [Text("talk")])
    put(streams.err, [Text("more talk")])
    with pytest.raises(BrokenPipeError):
        put(streams.out, [Text("data")])


def test_marks_have_words_where_only_ascii_goes():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    streams = open_streams(out=stream, err=io.StringIO(), environ={})
    put(streams.out, [Text("✓ a → b · ü")])
    stream.flush()
    assert raw.getvalue() == b"ok a -> b - ?\n"


def test_bytes_that_cannot_be_read_stay_an_error():
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("utf-8", errors="llmstack.ascii")
